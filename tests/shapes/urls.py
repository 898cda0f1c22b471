"""The URLs of all projects."""

from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_not_required, login_required
from django.contrib.auth.views import LogoutView
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import include, path


@login_required
def members(request):
    return render(request, "members/members.html")


@login_not_required
def count(request):
    return HttpResponse(get_user_model().objects.count())


urlpatterns = [
    path("login/", include("django_piggy_verify.urls")),
    path("logout/", LogoutView.as_view(next_page="count"), name="logout"),
    path("members/", members, name="members"),
    path("count/", count, name="count"),
]
if apps.is_installed("django.contrib.admin"):
    urlpatterns += [path("admin/", admin.site.urls)]
