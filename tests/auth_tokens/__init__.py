"""Tests of the cache of auth tokens."""
