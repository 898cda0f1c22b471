"""The rate limits, also under concurrent requests."""
