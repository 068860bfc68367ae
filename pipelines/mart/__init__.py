"""The mart that analysts query, and SQL over it."""
