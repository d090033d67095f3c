"""The morning desk: the web page on which people see what a night found and decide on it."""
