"""Tests of the providers, over real HTTP."""
