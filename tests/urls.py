from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.http import HttpResponse
from django.urls import include, path

from django_piggy_verify.views import PortalView


def members(request):
    return HttpResponse(f"user {request.user.pk}")


urlpatterns = [
    path("login/", include("django_piggy_verify.urls")),
    path("sandbox/", include("django_piggy_verify.sandbox.urls")),
    path("logout/", LogoutView.as_view(next_page="/members/")),
    path("members/", members, name="members"),
    path("portal/", PortalView.as_view(), name="portal"),
    path("admin/", admin.site.urls),
]
