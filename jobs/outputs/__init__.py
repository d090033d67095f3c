"""What goes out to other systems after a night: files, signed webhooks, a chat message, events for
a SIEM. Works on Arrow tables, without an engine."""
