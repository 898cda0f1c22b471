"""No secret is shown or stored anywhere."""
