"""The earlier import path of `django_piggy_verify.views.ProtectedView`."""

from django_piggy_verify.views.protection import ProtectedView

__all__ = ["ProtectedView"]
