"""The search finds the secrets of Punchh, and the vendor gets those it needs."""

import logging
from unittest.mock import patch

import pytest
from django.utils import timezone

from django_piggy_verify import signals
from django_piggy_verify.login import browsers
from django_piggy_verify.models import OpenChallenge
from django_piggy_verify.providers.base import Challenge
from django_piggy_verify.secret import Secret
from tests.secrecy import evidence as sinks
from tests.secrecy.crashes import crashing
from tests.secrecy.evidence import (
    VERIFIER,
    found_in,
)
from tests.steps import ADDRESS


@pytest.fixture
def vendor():
    return "punchh"


def plant_in_form(visit):
    visit.browser.get("/login/", {"next": f"/{VERIFIER}"})


def plant_in_session(visit):
    kept = visit.browser.session
    kept["planted"] = VERIFIER
    kept.save()
    visit.take("look")


def plant_in_cookie(visit):
    with patch.object(browsers, "token_urlsafe", lambda _: VERIFIER):
        visit.take("ask")


def plant_in_column(_visit):
    now, sealed = timezone.now(), f"planted {VERIFIER}".encode()
    OpenChallenge.objects.create(key="planted", ciphertext=sealed, ends_at=now)


def plant_in_line(visit):
    source = "def run():\n  verifier = SECRET\n  return verifier\nrun()"
    planted = compile(source, f"{sinks.PACKAGE}/planted.py", "exec")
    with sinks.watching_lines(visit.evidence):
        exec(planted, {"SECRET": VERIFIER})


def plant_in_log(_visit):
    logging.getLogger("django_piggy_verify").debug("%s", VERIFIER)


def plant_in_signal(_visit):
    state = {"verifier": Secret(VERIFIER)}
    signals.code_sent.send(None, it=Challenge(recipient=ADDRESS, state=state))


PLANTS = {
    "database": plant_in_column,
    "headers": plant_in_cookie,
    "lines": plant_in_line,
    "logs": plant_in_log,
    "pages": plant_in_form,
    "session": plant_in_session,
    "signals": plant_in_signal,
}


@pytest.mark.parametrize("sink", PLANTS)
def test_the_search_finds_a_planted_verifier(visit, evidence, sink):
    PLANTS[sink](visit)

    assert (sink, "verifier") in evidence.leaks


@crashing(
    {
        "get_fresh_token": """
            django_piggy_verify.auth_tokens.cache.drop_spent
            django_piggy_verify.auth_tokens.refreshing.after_refusal
            django_piggy_verify.exceptions.LoginRequired.__init__
            django.db.models.query.QuerySet._raw_delete
        """
    }
)
@pytest.mark.django_db(transaction=True)
def test_no_crash_after_a_refused_refresh_shows_a_secret(
    visit, evidence, broken, step, path
):
    visit.prepare(step)
    visit.take("be_revoked")

    broken(path)
    visit.take(step)

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks == set()


def sent_to(sandbox):
    """Return all that the vendor has got."""
    return [f"{c.path} {c.headers} {c.content!r}" for c in sandbox.calls]


def test_the_vendor_gets_the_id_of_the_browser_and_never_the_cookie(
    visit, sandbox, plan
):
    visit.take(*plan.pages, *plan.calls)

    found = found_in("".join(sent_to(sandbox)))
    assert found >= {"id of the browser", "verifier", "challenge", "digest"}
    assert "cookie of the browser" not in found
    assert "client secret" not in found
