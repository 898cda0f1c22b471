"""The routes of the connect pages, without those of the login pages."""

from django.urls import path

from django_piggy_verify import views

app_name = "piggy_verify"

urlpatterns = [
    path("connect/", views.ConnectView.as_view(), name="connect"),
    path("connect/code/", views.ConnectCodeView.as_view(), name="connect-code"),
    path(
        "connect/code/resend/",
        views.ConnectResendView.as_view(),
        name="connect-resend",
    ),
    path("connect/cancel/", views.ConnectCancelView.as_view(), name="connect-cancel"),
    path("connect/link/", views.ConnectLinkView.as_view(), name="connect-link"),
    path("connect/disconnect/", views.DisconnectView.as_view(), name="disconnect"),
]
