"""Transactions, locks and migrations."""
