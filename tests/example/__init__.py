"""Tests of the example project, run as the README says."""
