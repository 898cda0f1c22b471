"""The README, the documentation and the API description."""
