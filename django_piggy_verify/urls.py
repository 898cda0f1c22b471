"""The routes: ``path("login/", include("django_piggy_verify.urls"))``."""

from django.urls import path

from django_piggy_verify import urls_connect, views

app_name = "piggy_verify"

urlpatterns = [
    path("", views.EmailView.as_view(), name="email"),
    path("code/", views.CodeView.as_view(), name="code"),
    path("code/resend/", views.ResendView.as_view(), name="resend"),
    path("cancel/", views.CancelView.as_view(), name="cancel"),
    path("token/", views.AuthTokenView.as_view(), name="auth-token"),
    *urls_connect.urlpatterns,
]
