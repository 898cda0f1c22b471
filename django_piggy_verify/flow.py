"""The earlier import path of `django_piggy_verify.views.FlowView`."""

from django_piggy_verify.views.base import FlowView

__all__ = ["FlowView"]
