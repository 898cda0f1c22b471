"""Tests of transactions, retries and migrations."""
