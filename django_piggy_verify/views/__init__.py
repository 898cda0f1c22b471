"""The pages: those that log in, and those for who is logged in."""

from django_piggy_verify.views.contacts import AuthTokenView, PortalView
from django_piggy_verify.views.login import (
    CancelView,
    CodeView,
    EmailView,
    FormPage,
    LoginPage,
    ResendView,
)

__all__ = [
    "AuthTokenView",
    "CancelView",
    "CodeView",
    "EmailView",
    "FormPage",
    "LoginPage",
    "PortalView",
    "ResendView",
]
