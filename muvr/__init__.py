"""The command line, which composes the rooms."""
