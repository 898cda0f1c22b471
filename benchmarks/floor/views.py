"""The two pages of the floor."""

from functools import cache
from typing import Any

import requests
from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from benchmarks.floor.models import Profile, Token


class EmailForm(forms.Form):
    """Asks for the address."""

    email = forms.EmailField(label="Email address")


class CodeForm(forms.Form):
    """Asks for the code."""

    code = forms.CharField(label="Code", max_length=20)


def email_page(request: HttpRequest) -> HttpResponse:
    """Ask the API to send a code."""
    form = EmailForm(request.POST or None)
    if form.is_valid():
        email = form.cleaned_data["email"]
        _call("POST", "send", json={"email": email})
        request.session["email"] = email
        return redirect("code")
    return render(request, "floor/email.html", {"form": form})


def code_page(request: HttpRequest) -> HttpResponse:
    """Let the API check the code, log in, and fetch the token."""
    email = request.session.get("email")
    if email is None:
        return redirect("email")
    form = CodeForm(request.POST or None)
    if form.is_valid():
        payload = {"email": email, "code": form.cleaned_data["code"]}
        uid = _call("POST", "verify", json=payload)["uuid"]
        profile = Profile.objects.select_related("user").get(uid=uid)
        login(request, profile.user, backend=settings.MODEL_BACKEND)
        token = _call("GET", f"auth-token/{uid}")["auth_token"]
        Token.objects.update_or_create(
            profile=profile, defaults={"text": token, "fetched_at": timezone.now()}
        )
        return redirect(settings.LOGIN_REDIRECT_URL)
    return render(request, "floor/code.html", {"form": form, "email": email})


@cache
def _session() -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {settings.API_KEY}"
    session.verify = settings.API_CERTIFICATE
    return session


def _call(method: str, path: str, **body: Any) -> Any:
    url = f"{settings.API_URL}/contact-verification/{path}"
    response = _session().request(method, url, timeout=10, **body)
    response.raise_for_status()
    return response.json()["data"]
