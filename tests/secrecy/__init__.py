"""Check that no secret is shown or stored anywhere."""
