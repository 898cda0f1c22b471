"""Tests of the command piggy_verify_doctor."""
