"""Check that the assertion for projects finds every leak of their pages."""

import os
import re
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from django import forms
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.urls import include, path
from django.utils.crypto import get_random_string

from django_piggy_verify import urls as login_urls
from django_piggy_verify.exceptions import ContactUnknown
from django_piggy_verify.forms import EmailForm
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.login.logins import SendResult
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Challenge
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.testing import assert_strangers_look_like_contacts
from django_piggy_verify.views import CodeView, EmailView, ResendView
from django_piggy_verify.views.negotiation import prefers_json
from tests.steps import ADDRESS, ask_for_code, is_logged_in, log_in, type_code

EXAMPLE = Path(__file__).parents[2] / "example_project"
ROUTES = {"email": "", "code": "code/", "resend": "code/resend/"}


@pytest.fixture
def strangers_look_like_contacts(db, piggy_sandbox):
    return partial(assert_strangers_look_like_contacts, piggy_sandbox)


@pytest.fixture
def complaint(strangers_look_like_contacts):
    def complaint():
        with pytest.raises(AssertionError) as caught:
            strangers_look_like_contacts()
        return str(caught.value)

    return complaint


@pytest.fixture
def views(settings):
    """Return a function that replaces views of the package."""

    def use(**views):
        own = [path(ROUTES[name], v.as_view(), name=name) for name, v in views.items()]
        pages = ([*own, *login_urls.urlpatterns], "piggy_verify")
        settings.ROOT_URLCONF = (path("login/", include(pages)),)

    return use


@pytest.fixture
def template(settings):
    """Return a function that replaces a template of the package."""

    def use(name, source):
        [engine] = settings.TEMPLATES
        own = (
            "django.template.loaders.locmem.Loader",
            {f"piggy_verify/{name}": source},
        )
        loaders = [own, "django.template.loaders.app_directories.Loader"]
        processors = engine["OPTIONS"]["context_processors"]
        options = {
            "context_processors": [
                *processors,
                "tests.testing.test_fixtures.about_members",
            ],
            "loaders": loaders,
        }
        settings.TEMPLATES = [{**engine, "APP_DIRS": False, "OPTIONS": options}]

    return use


def about_members(request):
    return {"members": [each.email for each in Contact.objects.all()]}


def is_stranger(address):
    return not Contact.objects.filter(email=address).exists()


def add_header(request, response):
    response["X-Member"] = "no"


def add_cookie(request, response):
    response.set_cookie("guest", "1")


def shorten_cookie(request, response):
    response.cookies["piggy_verify_login"]["max-age"] = 60


def lead_elsewhere(request, response):
    response.headers["Location"] = "/join/"


def change_status(request, response):
    response.status_code = 303


def add_message(request, response):
    messages.info(request, "Join us")


def add_to_json(request, response):
    if prefers_json(request):
        response.content = response.content.replace(b"}", b', "is_member": false}')


LEAKS = {
    add_header: "+X-Member: no",
    add_cookie: "+Set-Cookie: guest=1; Path=/",
    shorten_cookie: "Max-Age=60; Path=/; SameSite=Lax",
    lead_elsewhere: "+Location: /join/",
    change_status: "+Status: 303",
    add_message: "+Set-Cookie: messages=",
    add_to_json: '"sent": true, "is_member": false}',
}


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_a_view_that_treats_strangers_otherwise_is_found(complaint, views, leak):
    class LeakyEmailView(EmailView):
        def waiting_for_code(self, login):
            response = super().waiting_for_code(login)
            if is_stranger(login.recipient):
                leak(self.request, response)
            return response

    views(email=LeakyEmailView)

    found = complaint()
    assert found.startswith("asking for a code (")
    assert ") shows who is a contact:\n--- contact\n+++ stranger\n" in found
    assert LEAKS[leak] in found


def test_a_leak_on_a_later_page_is_found_there(complaint, views):
    class LeakyResendView(ResendView):
        def waiting_for_code(self, login):
            if is_stranger(login.recipient):
                login = login.sent_again(SendResult(is_sent=False, resend_in=0))
            return super().waiting_for_code(login)

    views(resend=LeakyResendView)

    assert complaint().startswith("a resend within the cooldown (text/html) shows who")


def test_a_wrong_code_that_is_worded_otherwise_is_found(complaint, views):
    class LeakyCodeView(CodeView):
        def form_invalid(self, form):
            if is_stranger(form.recipient):
                form.errors["code"] = ["We know no such member."]
            return super().form_invalid(form)

    views(code=LeakyCodeView)

    found = complaint()
    assert found.startswith("a wrong code (text/html) shows who")
    assert "We know no such member." in found


@pytest.mark.parametrize(
    ("name", "address", "step"),
    [
        ("code.html", "recipient", "the code page"),
        ("email.html", "form.initial.email", "the email page after that"),
    ],
)
def test_a_template_that_shows_something_to_members_only_is_found(
    complaint, template, name, address, step
):
    template(
        name,
        f'{{% extends "piggy_verify/{name}" %}}{{% block help %}}'
        f"{{% if {address} in members %}}\nWelcome back\n{{% endif %}}{{% endblock %}}",
    )

    found = complaint()
    assert found.startswith(f"{step} (text/html) shows who is a contact:\n")
    assert "\n-Welcome back\n" in found


def test_a_view_that_asks_the_api_for_members_only_is_found(complaint, views):
    class LeakyEmailView(EmailView):
        def form_valid(self, form):
            if is_stranger(form.cleaned_data["email"]):
                return self.expired()
            return super().form_valid(form)

    views(email=LeakyEmailView)

    found = complaint()
    assert found.startswith("asking for a code (text/html) shows who")
    assert (
        '\n-Upstream: POST api/v3/oauth/clients/contact-verification/send {"' in found
    )


def test_a_send_that_keeps_no_floor_is_found(complaint, monkeypatch):
    def send_at_once(recipient, request=None, consents=()):
        with suppress(ContactUnknown):
            get_provider().send_code(Challenge(recipient=recipient))
        return SendResult(is_sent=True, resend_in=60)

    monkeypatch.setattr(
        "django_piggy_verify.login.verification.send_code", send_at_once
    )
    monkeypatch.setattr("django_piggy_verify.testing.strangers.FLOOR", 5)

    assert re.fullmatch(
        r"asking for a code \(text/html\) took 0\.\d+ s, with a "
        r"PIGGY_VERIFY_SEND_FLOOR of 5 s",
        complaint(),
    )


def test_a_flow_that_never_succeeds_is_an_error(complaint, views):
    class OtherForm(EmailForm):
        captcha = forms.CharField()

    class OtherEmailView(EmailView):
        form_class = OtherForm

    views(email=OtherEmailView)

    found = complaint()
    assert found.startswith(
        "asking for a code (text/html) caused no call to the API:\n"
    )
    assert "This field is required." in found


def test_a_project_that_tells_strangers_so_is_found(complaint, settings):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False

    found = complaint()
    assert found.startswith("asking for a code (text/html) shows who")
    assert "We know no member with this email address." in found


def test_addresses_of_different_lengths_are_refused(strangers_look_like_contacts):
    with pytest.raises(ValueError, match="lengths"):
        strangers_look_like_contacts(stranger="nobody.at.all@example.com")


def test_a_stranger_is_a_stranger_whatever_the_sandbox_holds(
    complaint, piggy_sandbox, settings
):
    piggy_sandbox.add_contact("lee.2.ann@example.com")
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False

    assert "We know no member with this email address." in complaint()


def test_the_pages_of_the_package_pass_as_often_as_one_likes(
    strangers_look_like_contacts,
):
    strangers_look_like_contacts()
    strangers_look_like_contacts()


@pytest.mark.parametrize("limit", ["send_ip", "check_ip"])
def test_limits_used_up_before_make_no_difference(strangers_look_like_contacts, limit):
    for _ in range(60):
        fixed_windows.take([fixed_windows.claim(limit, "127.0.0.1")])

    strangers_look_like_contacts()


def test_an_outage_before_the_run_makes_no_difference(
    strangers_look_like_contacts, client, piggy_sandbox
):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    ask_for_code(client)
    piggy_sandbox.switches.fault = None

    strangers_look_like_contacts()


def test_an_outage_during_the_run_stops_no_sends_after_it(
    strangers_look_like_contacts, client, piggy_sandbox
):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    strangers_look_like_contacts()

    assert ask_for_code(client).status_code == 302


def test_the_run_does_not_change_the_switches(
    strangers_look_like_contacts, piggy_sandbox
):
    piggy_sandbox.switches.fault = Fault.OUTAGE

    strangers_look_like_contacts()

    assert piggy_sandbox.switches.fault is Fault.OUTAGE


def test_the_templates_of_the_example_pass(
    strangers_look_like_contacts, settings, monkeypatch
):
    monkeypatch.syspath_prepend(EXAMPLE)
    settings.ROOT_URLCONF = "shop.urls"
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [EXAMPLE / "shop" / "templates"]}]

    assert "Ask at the counter" in Client().get("/login/").text
    strangers_look_like_contacts()


def test_a_project_that_lets_no_new_members_in_passes(
    strangers_look_like_contacts, settings
):
    settings.PIGGY_VERIFY_CREATE_USERS = False

    strangers_look_like_contacts()


def test_the_address_may_be_spelled_in_any_way(strangers_look_like_contacts, template):
    template(
        "code.html",
        '{% extends "piggy_verify/code.html" %}{% block help %}{{ recipient|upper }}'
        "{{ recipient|urlencode }}{{ recipient|urlencode|urlencode }}"
        "{{ recipient|escapejs }}{{ recipient|json_script }}{% endblock %}",
    )

    strangers_look_like_contacts(
        contact="o'brien+1&a@example.com", stranger="o'brien+2&b@example.com"
    )


class Nonces:
    """A middleware that puts a nonce into each page and its header, as in Django 6."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        nonce = get_random_string(20)
        response["Content-Security-Policy"] = f"script-src 'self' 'nonce-{nonce}'"
        script = f'<script nonce="{nonce}"></script></body>'
        response.content = response.content.replace(b"</body>", script.encode())
        return response


def test_nonces_may_differ(strangers_look_like_contacts, settings):
    settings.MIDDLEWARE = ["tests.testing.test_fixtures.Nonces", *settings.MIDDLEWARE]

    strangers_look_like_contacts()


class Numbers:
    """A middleware that numbers all requests, and serves one host over https only."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        assert (request.get_host(), request.scheme) == ("localhost", "https")
        response = self.get_response(request)
        response["X-Request-ID"] = get_random_string(20)
        return response


def test_a_project_can_say_what_else_differs_and_how_it_is_reached(
    strangers_look_like_contacts, settings
):
    settings.MIDDLEWARE = ["tests.testing.test_fixtures.Numbers", *settings.MIDDLEWARE]

    strangers_look_like_contacts(
        new_client=partial(Client, SERVER_NAME="localhost"), ignore="X-Request-ID: .*"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"CSRF_USE_SESSIONS": True},
        {"SESSION_SAVE_EVERY_REQUEST": True},
        {"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"},
        {"SECURE_SSL_REDIRECT": True},
        {"PIGGY_VERIFY_RATE_LIMITS": {"send_ip": "1/1d"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_assertion_passes_with_any_settings(
    strangers_look_like_contacts, settings, changes
):
    for name, value in changes.items():
        setattr(settings, name, value)

    strangers_look_like_contacts()


def test_the_fixtures_can_be_loaded_before_django_is_set_up():
    """A project may load them with ``-p``, or configure its settings in a hook."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": ""}

    subprocess.run(
        [sys.executable, "-c", "import django_piggy_verify.testing"],
        env=environment,
        check=True,
    )


@pytest.mark.parametrize(
    "name", ["login_contact", "assert_strangers_look_like_contacts"]
)
def test_a_project_without_pytest_has_the_rest(name):
    without_pytest = "import django, sys; sys.modules['pytest'] = None; django.setup();"
    statement = f"from django_piggy_verify.testing import {name}"

    subprocess.run(
        [sys.executable, "-c", f"{without_pytest} {statement}"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        check=True,
    )


def test_a_name_that_does_not_exist_cannot_be_imported():
    with pytest.raises(ImportError):
        from django_piggy_verify.testing import anything  # noqa: F401, PLC0415


CONSENTS = {"consent_terms": "on", "consent_privacy": "on"}


@pytest.mark.parametrize("vendor", ["piggy", "verifik", "punchh"])
def test_the_sandbox_of_each_vendor_logs_in(client, db, sandbox_for, vendor):
    sandbox = sandbox_for(vendor)
    sandbox.add_contact(ADDRESS)

    log_in(client, sandbox, **CONSENTS)

    assert is_logged_in(client)
    assert {each.vendor for each in sandbox.calls} == {vendor}
    assert Contact.objects.get().provider == vendor


def test_the_sandbox_texts_a_code_to_a_number(client, db, sandbox_for):
    sandbox = sandbox_for("punchh")
    client.post("/login/", {"phone": "06 12345678", **CONSENTS})

    type_code(client, sandbox.last_code("+31612345678"))

    assert is_logged_in(client)
    assert sandbox.mails[0].channel == "sms"
    assert sandbox.contacts[0].phone == Contact.objects.get().phone == "+31612345678"


@pytest.fixture
def access_of(sandbox_for, settings, rf):
    """Return a function that asks the project for the access of a user."""
    sandbox_for("transmit")

    def access_of(user):
        request = rf.get("/")
        request.user = user
        return settings.PIGGY_VERIFY_USER_ACCESS(request)

    return access_of


def test_a_user_is_signed_in_at_the_sandbox(
    db, access_of, django_user_model, piggy_sandbox_server
):
    user = django_user_model.objects.create_user("ann")

    access = access_of(user)

    users = piggy_sandbox_server.sandbox.users
    assert access.uid == f"user-{user.pk}"
    assert users.uid_of(access.token) == access.uid


def test_each_request_of_a_user_gets_a_new_token(db, access_of, django_user_model):
    user = django_user_model.objects.create_user("ann")

    first, second = access_of(user), access_of(user)

    assert first.uid == second.uid
    assert first.token != second.token


def test_nobody_is_signed_in_without_a_login(access_of):
    assert access_of(AnonymousUser()) is None


@pytest.mark.parametrize("vendor", ["verifik", "punchh"])
def test_strangers_look_like_contacts_where_everybody_gets_a_code(
    db, sandbox_for, vendor
):
    assert_strangers_look_like_contacts(sandbox_for(vendor))
