"""The providers, over real HTTP."""
