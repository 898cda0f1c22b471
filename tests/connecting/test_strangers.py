"""Until a code was right, a contact of another user looks like any other address."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from django_piggy_verify.login import rate_limits
from django_piggy_verify.models import Contact
from django_piggy_verify.testing import assert_strangers_look_like_contacts, strangers
from django_piggy_verify.testing.transcripts import masked, transcript
from django_piggy_verify.views import ConnectView, EmailView
from tests.connecting.steps import CANCEL, CODE, CONNECT, RESEND, browser_of, connect
from tests.steps import JSON, log_in

TAKEN, FREE, STRANGER, OWN = (
    f"{name}@example.com" for name in ("taken", "freed", "stray", "mine0")
)
STEPS = [
    ("the first page", "get", CONNECT, 0),
    ("asking for a code", "post", CONNECT, 0),
    ("the code page", "get", CODE, 0),
    ("a blank code", "post", f"{CODE}?", 0),
    ("a wrong code", "post", CODE, 0),
    ("a resend within the cooldown", "post", RESEND, 0),
    ("a resend", "post", RESEND, 60),
    ("the last wrong code", "post", CODE, 0),
    ("the code page of a closed connection", "get", CODE, 0),
    ("asking once more", "post", CONNECT, 60),
    ("the code page of a connection that is too old", "get", CODE, 700),
    ("the first page after that", "get", f"{CONNECT}?expired=1", 0),
    ("asking too often", "post", CONNECT, 0),
    ("cancelling", "post", CANCEL, 0),
]
LIMITS = {
    "send_cooldown": "1/60s",
    "send_recipient": "3/1h",
    "check_login": 2,
    "send_ip": "999/1h",
    "check_ip": "999/1h",
}


def stopped(patch, now):
    """Stop the clocks, and return a function that lets seconds pass by."""
    clock = [now]
    patch.setattr("time.time", lambda: timezone.now().timestamp())
    patch.setattr(timezone, "now", lambda: clock[0])

    def pass_by(seconds):
        clock[0] += timedelta(seconds=seconds)

    return pass_by


@pytest.fixture
def addresses(db, piggy_sandbox, django_user_model):
    """A contact of another user, a free one, and a contact of the asking user."""
    for each in (TAKEN, FREE, OWN):
        piggy_sandbox.add_contact(each)
    log_in(Client(), piggy_sandbox, TAKEN)
    rate_limits.unlock(TAKEN)
    django_user_model.objects.create_user("shopper", password="secret-words")


def new_browser():
    return browser_of(User.objects.get(username="shopper"))


def walk(sandbox, clock, address, headers, ignore=""):
    """Take all steps with an address, and return what the browser and the API saw."""
    browser, seen = new_browser(), []
    for name, method, url, wait in STEPS:
        clock(wait)
        earlier = len(sandbox.calls)
        data = {"email": address, "code": "" if url.endswith("?") else name}
        data = data if method == "post" else {}
        response = getattr(browser, method)(url, data, headers=headers)
        text = transcript(response, sandbox.calls[earlier:])
        seen.append(f"{name}\n{masked(text, address=address, ignore=ignore)}")
    return seen


@pytest.mark.usefixtures("addresses")
@pytest.mark.parametrize("headers", [{}, JSON], ids=["HTML", "JSON"])
@pytest.mark.parametrize("address", [TAKEN, STRANGER])
def test_all_addresses_look_like_a_free_contact(
    piggy_sandbox, settings, address, headers
):
    settings.PIGGY_VERIFY_RATE_LIMITS = LIMITS
    began = timezone.now().replace(microsecond=0)
    walks = []
    for each in (address, FREE):
        with pytest.MonkeyPatch.context() as patch:
            walks.append(walk(piggy_sandbox, stopped(patch, began), each, headers))

    for one, other in zip(*walks, strict=True):
        assert one == other
    found = [each.name for each in piggy_sandbox.calls]
    assert found[-10:] == [*["send", "verify"] * 2, "send"] * 2


@pytest.mark.usefixtures("addresses")
def test_an_own_contact_looks_like_a_free_one(piggy_sandbox, settings):
    connect(new_browser(), piggy_sandbox, OWN)
    rate_limits.unlock(OWN)
    settings.PIGGY_VERIFY_RATE_LIMITS = LIMITS
    began = timezone.now().replace(microsecond=0)
    walks = []
    for each in (OWN, FREE):
        with pytest.MonkeyPatch.context() as patch:
            clock = stopped(patch, began)
            walks.append(walk(piggy_sandbox, clock, each, {}, f"ADDRESS|{OWN}"))

    # The first page lists the own contact in both walks.
    assert walks[0] == walks[1]


def test_the_assertion_for_projects_takes_the_connect_pages(
    piggy_sandbox, shopper, monkeypatch
):
    monkeypatch.setattr(strangers, "FLOOR", 0)

    assert_strangers_look_like_contacts(piggy_sandbox, user=shopper)

    assert shopper.pk not in Contact.objects.values_list("user", flat=True)


def test_the_assertion_sees_that_a_page_shows_a_taken_contact(
    piggy_sandbox, shopper, monkeypatch
):
    def show_taken(view, form):
        if Contact.objects.filter(email=form.cleaned_data["email"]).exists():
            return view.conflict("contact_taken")
        return EmailView.form_valid(view, form)

    monkeypatch.setattr(ConnectView, "form_valid", show_taken)

    with pytest.raises(AssertionError, match="asking for a code"):
        assert_strangers_look_like_contacts(piggy_sandbox, user=shopper)


def test_a_right_code_tells_that_the_contact_is_taken(addresses, piggy_sandbox):
    response = connect(new_browser(), piggy_sandbox, TAKEN)

    assert response.status_code == 409


@pytest.mark.usefixtures("addresses")
def test_a_conflict_tells_nothing_of_the_other_user(piggy_sandbox):
    owner = User.objects.get(piggy_contacts__email=TAKEN)

    response = connect(new_browser(), piggy_sandbox, TAKEN)

    assert response.context["conflict"] == "contact_taken"
    assert owner.username not in response.text
    assert Contact.objects.get(email=TAKEN).uid not in response.text


@pytest.mark.usefixtures("addresses")
def test_an_address_of_the_user_itself_is_sent_a_code_too(piggy_sandbox, unlimited):
    browser = new_browser()
    connect(browser, piggy_sandbox, OWN)

    response = connect(browser, piggy_sandbox, OWN)

    assert response.url == CONNECT


@pytest.mark.usefixtures("addresses")
def test_with_unknown_contacts_shown_a_taken_contact_still_looks_free(
    piggy_sandbox, settings
):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False

    pages = [new_browser().post(CONNECT, {"email": each}) for each in (TAKEN, FREE)]

    assert [page.url for page in pages] == [CODE, CODE]
