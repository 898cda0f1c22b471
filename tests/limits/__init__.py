"""Tests of the rate limits, also under concurrent requests."""
