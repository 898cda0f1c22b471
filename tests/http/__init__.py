"""Tests of the HTTP client, against servers that misbehave."""
