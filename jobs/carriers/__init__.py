"""Which accounts carry which tokens in a window: read from `account_tokens` and counted."""
