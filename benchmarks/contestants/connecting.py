"""django-piggy-verify with its connect pages, and a page that logs in a new user."""

from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.crypto import get_random_string

from benchmarks.contestants import ours
from benchmarks.contestants.settings import MODEL_BACKEND

prepare = ours.prepare


def enter(request: HttpRequest) -> HttpResponse:
    """Log in a new user, who has no contact."""
    user = User.objects.create(username=get_random_string(20))
    login(request, user, MODEL_BACKEND)
    return HttpResponse("entered")


urlpatterns = [*ours.urlpatterns, path("enter/", enter)]
