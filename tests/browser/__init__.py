"""The example in a real browser."""
