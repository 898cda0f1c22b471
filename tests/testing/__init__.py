"""Tests of the test tools for projects."""
