"""Follow docs/howto/captcha.rst. The tests solve the tasks, so nobody else is asked."""

import pytest
from django.core.cache import cache
from django.urls import reverse

from django_piggy_verify.exceptions import ConsentMissing, RecipientRefused
from tests import consenting
from tests.documentation import pages
from tests.steps import ADDRESS, JSON, STRANGER, is_logged_in, type_code

SETTINGS, URLS, SOLVING = pages.blocks("captcha")
KEY = "for tests only: 0123456789abcdef"
SPENT = "Challenge has already been used."

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def project(settings, monkeypatch):
    """Use the settings and the URLs of the guide."""
    monkeypatch.setenv("ALTCHA_HMAC_KEY", KEY)
    found = pages.run(SETTINGS)
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, *found["INSTALLED_APPS"][1:]]
    settings.ALTCHA_HMAC_KEY = found["ALTCHA_HMAC_KEY"]
    settings.ROOT_URLCONF = tuple(
        pages.run(URLS.replace("50_000", "500"))["urlpatterns"]
    )
    yield
    cache.clear()


@pytest.fixture
def solved(client):
    """A solution of a new task."""
    return pages.run(SOLVING)["solved"](client)


def ask(client, **fields):
    return client.post("/login/", {"email": ADDRESS, **fields})


def test_the_page_shows_the_task(client):
    page = client.get("/login/")

    assert '<altcha-widget name="captcha"' in page.text
    assert f'challengeurl="{reverse("altcha")}"' in page.text
    assert 'maxnumber="500"' in page.text


def test_with_a_solution_a_member_logs_in(client, contact, piggy_sandbox, solved):
    assert ask(client, captcha=solved).status_code == 302

    type_code(client, piggy_sandbox.last_code(ADDRESS))

    assert is_logged_in(client)


@pytest.mark.usefixtures("contact")
@pytest.mark.parametrize("typed", ["", "bm8gSlNPTg==", "e30="])
def test_without_a_solution_nothing_is_sent_or_counted(
    client, piggy_sandbox, settings, typed, solved
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h", "send_cooldown": "1/1h"}

    refused = ask(client, captcha=typed)

    assert list(refused.context["form"].errors) == ["captcha"]
    assert not piggy_sandbox.mails
    assert ask(client, captcha=solved).status_code == 302


def test_a_solution_works_once(client, contact, solved):
    ask(client, email="no address", captcha=solved)

    again = ask(client, captcha=solved)

    assert again.context["form"].errors == {"captcha": [SPENT]}


def test_limits_stay(client, contact, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}
    solve = pages.run(SOLVING)["solved"]

    statuses = [
        ask(client, email=email, captcha=solve(client)).status_code
        for email in (ADDRESS, STRANGER)
    ]
    assert statuses == [302, 429]


def test_scripts_are_told_which_field_is_missing(client, contact, solved):
    without, with_it = (
        client.post(
            "/login/", {"email": ADDRESS, **fields}, "application/json", headers=JSON
        )
        for fields in ({}, {"captcha": solved})
    )

    assert (without.status_code, with_it.status_code) == (400, 202)
    error = without.json()["error"]
    assert (error["code"], list(error["fields"])) == ("invalid", ["captcha"])


@pytest.mark.parametrize(
    ("refusal", "consents", "names"),
    [
        (RecipientRefused(), ("terms",), ["email"]),
        (ConsentMissing({"terms"}), ("terms",), ["consent_terms"]),
        (ConsentMissing({"terms"}), (), ["__all__"]),
    ],
    ids=["address", "consent", "no boxes"],
)
def test_after_a_refused_send_the_field_is_not_at_fault(  # noqa: PLR0913, PLR0917
    client, settings, solved, refusal, consents, names
):
    consenting.use(settings, send_error=refusal, consents=consents)
    ask(client, captcha=solved, **consenting.CONSENTS)

    page = client.get("/login/code/", follow=True)

    assert list(page.context["form"].errors) == names


def test_the_field_can_be_switched_off_for_tests(client, contact, settings):
    settings.ALTCHA_VERIFICATION_ENABLED = False

    assert ask(client).status_code == 302
