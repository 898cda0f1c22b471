"""Tests of faults, on real servers in processes of their own."""
