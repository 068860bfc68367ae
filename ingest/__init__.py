"""Wire bytes to checked events and chunks to the store; sets cut from streams; importers."""
