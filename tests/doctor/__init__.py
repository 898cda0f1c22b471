"""The command piggy_verify_doctor."""
