"""The URLs of a project that has login pages for browsers, and URLs for apps."""

from django.urls import include, path

from tests import urls

urlpatterns = [
    *urls.urlpatterns,
    path("app/login/", include("django_piggy_verify.urls_app")),
]
