"""
The routes for apps that hold no cookies.

Add ``path("api/login/", include("django_piggy_verify.urls_app"))``.
"""

from django.urls import path

from django_piggy_verify import views

app_name = "piggy_verify_app"

urlpatterns = [
    path("", views.AppEmailView.as_view(), name="email"),
    path("code/", views.AppCodeView.as_view(), name="code"),
    path("code/resend/", views.AppResendView.as_view(), name="resend"),
]
