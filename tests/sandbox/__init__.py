"""The sandbox itself."""
