"""The public import path of `Login`, the login in progress."""

from django_piggy_verify.login.pending import Login

__all__ = ["Login"]
