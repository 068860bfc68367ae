"""Translation between HTTP and the rooms below."""
