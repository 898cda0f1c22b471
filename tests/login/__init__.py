"""Tests of sending and checking a code, and of known browsers."""
