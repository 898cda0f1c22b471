"""The URLs of the shop."""

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path, re_path
from django.views.defaults import page_not_found
from django.views.generic import TemplateView

from django_piggy_verify.views import PortalView
from shop import api, views
from shop.settings import VENDOR

# With Transmit, nobody logs in by code. Users who are logged in connect an address.
LOGIN_PAGES = "urls_connect" if VENDOR == "transmit" else "urls"

urlpatterns = [
    path("", TemplateView.as_view(template_name="shop/home.html"), name="home"),
    path("members/", views.members, name="members"),
    # The texts of PIGGY_VERIFY_CONSENTS.
    path("terms/", TemplateView.as_view(template_name="shop/terms.html"), name="terms"),
    path(
        "privacy/",
        TemplateView.as_view(template_name="shop/privacy.html"),
        name="privacy",
    ),
    path("portal/", PortalView.as_view(), name="portal"),
    path("login/", include(f"django_piggy_verify.{LOGIN_PAGES}")),
    path(
        "password/",
        LoginView.as_view(template_name="shop/password.html"),
        name="password",
    ),
    path("logout/", LogoutView.as_view(), name="logout"),
    # Staff log in by password. `manage.py createsuperuser` creates a staff user.
    path("admin/", admin.site.urls),
]
if VENDOR != "transmit":
    # For apps without cookies, such as the client of docs/howto/apps.rst.
    urlpatterns += [
        path("api/login/", include("django_piggy_verify.urls_app")),
        path("api/members/", api.members),
    ]
if apps.is_installed("django_piggy_verify.sandbox"):
    urlpatterns += [path("sandbox/", include("django_piggy_verify.sandbox.urls"))]
if settings.DEBUG:
    # Show 404.html in place of Django's technical page. Paths without a slash at the
    # end are left out, so that APPEND_SLASH still redirects them.
    urlpatterns += [re_path("^.+/$", page_not_found, {"exception": None})]
