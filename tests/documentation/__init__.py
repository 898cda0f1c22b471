"""Tests of the README, the documentation and the API description."""
