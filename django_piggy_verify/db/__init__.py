"""Database work that several processes do to the same rows."""
