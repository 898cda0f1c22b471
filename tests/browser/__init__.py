"""Tests of the example in a real browser."""
