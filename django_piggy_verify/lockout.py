"""The name under which lockout tools count a login by code."""

from django_piggy_verify.login.axes import username

__all__ = ["username"]
