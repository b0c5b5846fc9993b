"""The API server, by thin functions: one module a kind, one fault a status.

Nothing here decides what to write or when.
"""
