"""Why an account or a campaign stands where it does, and what is told to those who ask.

Reads the lake without an engine and writes nothing but an appeal that was written down.
"""
