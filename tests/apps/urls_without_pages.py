"""The URLs of a project that has no login pages for browsers."""

from django.urls import include, path

urlpatterns = [path("app/login/", include("django_piggy_verify.urls_app"))]
