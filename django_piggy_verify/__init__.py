"""Passwordless login for the contacts of a Piggy (Leat) loyalty programme."""

__version__ = "0.1.0"
