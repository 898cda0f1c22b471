"""Sending and checking a code, and remembering the browser."""
