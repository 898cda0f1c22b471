"""The public import path of `Login`, the login in progress, and of `SendResult`."""

from django_piggy_verify.login.logins import Login, SendResult

__all__ = ["Login", "SendResult"]
