"""Check that keys, codes and tokens appear only where they belong."""

import base64
import json
import logging
import sys
import traceback
import warnings
from pprint import pformat
from urllib.parse import quote

import pytest
from django.contrib import messages
from django.contrib.auth import authenticate
from django.utils import timezone
from django.utils.crypto import salted_hmac

from django_piggy_verify import signals
from django_piggy_verify.models import Tally
from django_piggy_verify.providers import credentials
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.secret import Secret
from tests.http.hostile import (
    CODE,
    GRANT,
    KEY,
    reply,
    serving,
)
from tests.secrecy import evidence as sinks
from tests.secrecy.crashes import WIRE, crashing
from tests.secrecy.evidence import Browser, found_in
from tests.secrecy.walkthrough import (
    CAROL,
    PAGES,
)
from tests.steps import ADDRESS, ask_for_code, type_code


@pytest.mark.parametrize("secret", sinks.SECRETS)
def test_the_search_finds_a_secret_in_every_encoding(secret):
    text = sinks.SECRETS[secret]
    shapes = [
        base64.b64encode(f"{before}{text} and more".encode()).decode()
        for before in ("", "a", "ab")
    ]
    shapes += [text, quote(text), json.dumps(text), f"{text.encode()!r}", text.upper()]
    shapes += [base64.urlsafe_b64encode(text.encode()).decode(), text.encode().hex()]

    assert [found_in(f"before {shape} after") for shape in shapes] == [{secret}] * 10


def plant_in_messages(visit):
    def receive(request, **kwargs):
        messages.info(request, KEY)

    with sinks.receiving(signals.code_sent, receive):
        visit.take("ask")


def plant_in_session(visit):
    kept = visit.browser.session
    kept["planted"] = KEY
    kept.save()
    visit.take("look")


def plant_in_frames(source):
    def plant(visit):
        names = {"SECRET": KEY, "logging": logging, "visit": visit}
        exec(compile(source, "/srv/planted.py", "exec"), names)

    return plant


PLANTS = {
    "database": lambda _: Tally.objects.create(
        key=KEY, count=1, ends_at=timezone.now()
    ),
    "errors": plant_in_frames(
        "try: 1 / 0\nexcept ArithmeticError as error: visit.evidence.error(error)"
    ),
    "headers": lambda visit: visit.browser.get(f"/login?next={KEY}"),
    "logs": lambda _: logging.getLogger("urllib3").debug("%s", KEY),
    "mails": lambda _: logging.getLogger("django.request").error(KEY),
    "messages": plant_in_messages,
    "pages": lambda visit: visit.browser.get("/login/", {"next": f"/{KEY}"}),
    "session": plant_in_session,
    "signals": lambda _: signals.code_sent.send(None, request=None, it=Secret(KEY)),
    "stacks": plant_in_frames("logging.getLogger('django_piggy_verify').debug('')"),
    "stdout": lambda _: sys.stdout.write(KEY),
    "warnings": lambda _: warnings.warn(KEY, stacklevel=1),
}


@pytest.mark.usefixtures("mailer")
@pytest.mark.parametrize("sink", PLANTS)
def test_the_search_finds_what_is_planted(visit, evidence, sink):
    PLANTS[sink](visit)

    assert (sink, "key") in evidence.leaks


GRANTS = {
    "none": {},
    **{fault.name: {"fault": fault, "fault_on": {"token"}} for fault in Fault},
    "refused": {"fault": Fault.UNAUTHORIZED, "fault_on": {"send", "auth-token"}},
}


@pytest.mark.parametrize("trouble", GRANTS.values(), ids=GRANTS)
def test_no_grant_shows_a_secret(visit, evidence, settings, trouble):
    settings.PIGGY_VERIFY_API_KEY = None
    visit.take_in(trouble, "ask", "send")
    visit.take("ask", "answer", "send_another", "authenticate")

    visit.take_in(trouble, "get_fresh_token")
    visit.take("get_fresh_token")

    assert credentials.bearer_token(timeout=1) == GRANT
    assert evidence.leaks == set()


@pytest.mark.parametrize("status", [200, 400, 500])
def test_responses_that_repeat_secrets_are_not_quoted(
    visit, evidence, settings, status
):
    def repeat(peer):
        told = peer.server.requests[-1]
        said = [told.body.decode(), told.headers]
        reply({"code": 13010, "message": said, "data": said}, status)(peer)

    with serving(settings) as upstream:
        upstream.answers |= dict.fromkeys(upstream.answers, repeat)
        visit.take(*PAGES)

    assert "verify" in upstream.names
    assert evidence.leaks == set()


@pytest.mark.parametrize("limit", ["code_use", "code_login"])
def test_no_crash_while_a_used_code_is_hashed_shows_the_code(
    visit, evidence, monkeypatch, limit
):
    def crash_at_a_code(salt, text, **kwargs):
        if text.startswith(limit):
            raise ArithmeticError("broken on purpose")
        return salted_hmac(salt, text, **kwargs)

    visit.prepare("answer")
    monkeypatch.setattr(
        "django_piggy_verify.limits.fixed_windows.salted_hmac", crash_at_a_code
    )
    visit.take("answer")

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks == set()


@crashing({"judge": WIRE})
def test_no_failure_of_a_connection_shows_a_secret(visit, evidence, broken, step, path):
    broken(path)

    visit.take(step)

    assert "ArithmeticError" in evidence.of("errors")
    assert evidence.leaks == set()


@pytest.mark.usefixtures("mailer")
def test_no_mail_about_an_outage_shows_a_secret(visit, evidence, sandbox):
    visit.prepare("answer")

    sandbox.switches.fault = Fault.MAINTENANCE
    visit.take("answer")

    assert "Service Unavailable" in evidence.of("mails")
    assert evidence.leaks == set()


@pytest.mark.parametrize(
    "place",
    [
        "limits.fixed_windows.take",
        "login.codes._fold",
        "login.codes._plain",
        "login.codes._are_words",
        "login.codes._is_wrapping",
    ],
)
@pytest.mark.parametrize("typed", [CODE, f'"{CODE}".'])
def test_a_code_in_plain_text_is_hidden_at_once(db, broken, place, typed):
    """Only in frames of the package: the frames of the caller keep it."""
    broken(f"django_piggy_verify.{place}")

    with pytest.raises(ArithmeticError) as caught:
        authenticate(None, recipient=ADDRESS, secret_code=typed)

    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)]
    ours = [frame for frame in frames if sinks.PACKAGE in frame.f_code.co_filename]
    assert "authenticate" in [frame.f_code.co_name for frame in ours]
    assert found_in("".join(sinks.locals_of(ours))) == set()


def test_the_password_of_a_proxy_is_never_shown(visit, evidence, settings):
    settings.PIGGY_VERIFY_PROXY = f"http://ann:{sinks.PROXY_PASSWORD}@127.0.0.1:9"

    visit.take("ask")

    assert "Connection refused" in evidence.of("logs")
    assert evidence.leaks == set()


def test_no_line_of_the_log_can_be_forged(visit, evidence):
    for address in (f"{ADDRESS}\r\nERROR forged", f"ann\nERROR forged@{CAROL}"):
        ask_for_code(Browser(evidence), address)
        authenticate(None, recipient=address, secret_code="1\r\nERROR forged")
    visit.ask()
    type_code(visit.browser, "1\r\nERROR forged")

    assert "\nERROR" not in evidence.of("logs")


def test_callers_get_secrets_as_plain_strings():
    secret = Secret("value")

    assert secret == "value"
    assert f"{secret}" == "value"
    assert "value" not in repr([secret])
    assert "value" not in f"{secret!a}" + pformat({"key": secret})
