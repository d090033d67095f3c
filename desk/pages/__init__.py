"""The desk's pages: a module for each matter, its addresses in `ROUTES`."""
