"""The pages of the login, and the pages for users who are logged in."""

from django_piggy_verify.views.app import (
    AppCodeView,
    AppEmailView,
    AppPage,
    AppResendView,
)
from django_piggy_verify.views.base import FlowView
from django_piggy_verify.views.connect import (
    ConnectCancelView,
    ConnectCodeView,
    ConnectResendView,
    ConnectView,
    DisconnectView,
)
from django_piggy_verify.views.connect_link import ConnectLinkView
from django_piggy_verify.views.connect_page import ConnectPage
from django_piggy_verify.views.contacts import AuthTokenView, PortalView
from django_piggy_verify.views.first_page import EmailView
from django_piggy_verify.views.form_page import FormPage
from django_piggy_verify.views.login import (
    CancelView,
    CodePage,
    CodeView,
    LoginPage,
    ResendView,
)
from django_piggy_verify.views.protection import ProtectedView

__all__ = [
    "AppCodeView",
    "AppEmailView",
    "AppPage",
    "AppResendView",
    "AuthTokenView",
    "CancelView",
    "CodePage",
    "CodeView",
    "ConnectCancelView",
    "ConnectCodeView",
    "ConnectLinkView",
    "ConnectPage",
    "ConnectResendView",
    "ConnectView",
    "DisconnectView",
    "EmailView",
    "FlowView",
    "FormPage",
    "LoginPage",
    "PortalView",
    "ProtectedView",
    "ResendView",
]
