"""Tests of the pages, for browsers and scripts."""
