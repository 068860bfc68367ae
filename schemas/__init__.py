"""What crosses a boundary: wire formats, events, rows, settings and errors."""
