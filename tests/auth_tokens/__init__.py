"""The cache of auth tokens."""
