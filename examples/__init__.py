"""Clients of the HTTP contract, to read and to copy. They import nothing of the service."""
