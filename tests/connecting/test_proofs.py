"""The connect pages show each result of a check, not only "right" and "wrong"."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_piggy_verify import connecting
from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.exceptions import (
    AlreadyConnected,
    ConsentMissing,
    ContactTaken,
    LoginRefused,
    ProviderUnavailable,
    RecipientRefused,
)
from django_piggy_verify.limits.fixed_windows import limit_of
from django_piggy_verify.login import transactions
from django_piggy_verify.login.counted_checks import CheckedCode
from django_piggy_verify.models import AuthToken, Consent, Contact, OpenChallenge, Tally
from django_piggy_verify.providers.base import Identity, Proof
from django_piggy_verify.signals import (
    auth_token_fetched,
    contact_connected,
    step_up_recommended,
)
from django_piggy_verify.tokens import get_auth_token
from tests import consenting
from tests.connecting.steps import (
    CODE,
    CONNECT,
    ask,
    become,
    connect,
    contacts_of,
    type_code,
)
from tests.consenting import CONSENTS, RIGHT
from tests.secrecy.evidence import receiving
from tests.steps import ADDRESS, BOB, JSON, log_out

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shopper")]

FOR_ALL = pytest.mark.parametrize("headers", [{}, JSON], ids=["HTML", "JSON"])


@pytest.fixture
def vendor(settings):
    """The challenges of a vendor that wants consents."""
    return consenting.use(settings)


def ask_with_consents(browser, address=ADDRESS):
    return ask(browser, address, **CONSENTS)


def counts():
    """Return the counts of all limits that count something, by limit."""
    rows = Tally.objects.filter(count__gt=0).values_list("key", "count")
    return {limit_of(key): number for key, number in rows}


@pytest.mark.parametrize("whose", ["own", "another user's"])
def test_a_contact_of_another_vendor_is_no_conflict(
    client, shopper, piggy_sandbox, django_user_model, whose
):
    uid = piggy_sandbox.add_contact(ADDRESS).uid
    user = shopper if whose == "own" else django_user_model.objects.create_user("other")
    Contact.objects.create(
        user=user, provider="elsewhere", uid=uid, verified_at="2026-01-01T00:00Z"
    )

    connect(client, piggy_sandbox)

    assert Contact.objects.get(provider="piggy").user == shopper


# Consents and tokens.


def test_consents_are_asked_for(client, vendor):
    response = ask(client)

    assert response.status_code == 200
    assert "consent_terms" in response.context["form"].errors
    assert not vendor


def test_consents_are_recorded_after_a_right_code(client, shopper, vendor):
    ask_with_consents(client)
    before = Consent.objects.count()

    type_code(client, RIGHT)

    assert before == 0
    kinds = Consent.objects.values_list("kind", flat=True)
    assert sorted(kinds) == ["privacy", "terms"]
    assert Consent.objects.earliest("pk").contact == Contact.objects.get(user=shopper)
    assert not OpenChallenge.objects.exists()


def test_after_a_conflict_neither_consents_nor_challenges_are_left(
    client, vendor, django_user_model
):
    other = django_user_model.objects.create_user("other")
    Contact.objects.create(
        user=other, provider="texting", uid=ADDRESS, verified_at="2026-01-01T00:00Z"
    )
    ask_with_consents(client)

    response = type_code(client, RIGHT)

    assert response.status_code == 409
    assert not Consent.objects.exists()
    assert not OpenChallenge.objects.exists()


def test_a_token_that_comes_with_the_code_is_stored(client, shopper, sandbox_for):
    sandbox = sandbox_for("punchh")

    connect(client, sandbox, **CONSENTS)

    assert get_auth_token(shopper)


def test_a_token_that_comes_with_the_code_is_announced(client, sandbox_for):
    received = []

    def note(contact, **_kwargs):
        received.append(contact.uid)

    with receiving(auth_token_fetched, note):
        connect(client, sandbox_for("punchh"), **CONSENTS)

    assert received == [Contact.objects.get().uid]


def test_a_token_of_a_conflict_is_not_stored(client, sandbox_for, unlimited):
    sandbox = sandbox_for("punchh")
    connect(client, sandbox, **CONSENTS)
    AuthToken.objects.all().delete()

    response = connect(client, sandbox, BOB, **CONSENTS)

    assert response.status_code == 409
    assert not AuthToken.objects.exists()


# Hints.


class Strict(PiggyBackend):
    """Lets nobody connect for whom a further check is recommended."""

    def accepts_hint(self, request, user, hint):
        return hint == "another"


@pytest.fixture
def hinting(sandbox_for):
    sandbox = sandbox_for("verifik")
    sandbox.switches.face_liveness = True
    return sandbox


def test_a_hint_is_signalled_after_the_connection(client, shopper, hinting):
    received = []

    def note(signal, **kwargs):
        received.append((signal, kwargs))

    with receiving(contact_connected, note), receiving(step_up_recommended, note):
        response = connect(client, hinting)

    (first, _), (second, about) = received
    assert [first, second] == [contact_connected, step_up_recommended]
    assert (about["hint"], about["user"]) == ("face_liveness", shopper)
    assert about["request"] is response.wsgi_request


@FOR_ALL
def test_a_project_can_refuse_a_hint(client, shopper, hinting, settings, headers):
    strict = f"{__name__}.Strict"
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, strict]
    ask(client)
    code = hinting.last_code(ADDRESS)

    response = client.post(CODE, {"code": code}, headers=headers)

    assert response.status_code == 403
    assert not contacts_of(shopper)
    assert not AuthToken.objects.exists()


def test_a_strict_project_accepts_codes_without_a_hint(
    client, shopper, sandbox_for, settings
):
    strict = f"{__name__}.Strict"
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, strict]

    connect(client, sandbox_for("verifik"))

    assert contacts_of(shopper) == [ADDRESS]


# Refusals of the vendor.


@FOR_ALL
def test_a_contact_that_is_taken_at_the_vendor_is_a_conflict(
    client, shopper, vendor, settings, headers
):
    ask_with_consents(client)
    consenting.misbehave(settings, check_error=ContactTaken())

    response = client.post(CODE, {"code": RIGHT}, headers=headers)

    assert response.status_code == 409
    assert not contacts_of(shopper)


def test_a_contact_that_is_taken_at_the_vendor_counts_like_a_wrong_code(
    client, vendor, settings
):
    ask_with_consents(client)
    type_code(client, "wrong1")
    after_a_wrong_code = counts()
    consenting.misbehave(settings, check_error=ContactTaken())

    type_code(client, RIGHT)

    checks = {name for name in after_a_wrong_code if name.startswith("check")}
    assert checks >= {"check_ip", "check_login", "check_recipient"}
    assert {name: counts()[name] for name in checks} == dict.fromkeys(checks, 2)


def test_a_contact_that_is_taken_at_the_vendor_ends_with_the_attempts(
    client, vendor, settings
):
    """The vendor may say so before it looks at the code, so it is no other way."""
    ask_with_consents(client)
    consenting.misbehave(settings, check_error=ContactTaken())

    statuses = [type_code(client, f"guess{n}").status_code for n in range(5)]

    assert statuses == [409] * 4 + [429]


def test_a_right_code_can_be_typed_again_after_the_vendor_lets_the_contact_go(
    client, shopper, vendor, settings
):
    ask_with_consents(client)
    consenting.misbehave(settings, check_error=ContactTaken())
    type_code(client, RIGHT)
    consenting.misbehave(settings, check_error=None)

    type_code(client, RIGHT)

    assert contacts_of(shopper) == [ADDRESS]


@pytest.mark.usefixtures("vendor")
@FOR_ALL
@pytest.mark.parametrize("hide", [True, False])
def test_a_contact_that_is_taken_at_the_vendor_looks_sent(
    client, settings, headers, hide
):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = hide
    consenting.misbehave(settings, send_error=ContactTaken())

    response = client.post(CONNECT, {"email": ADDRESS, **CONSENTS}, headers=headers)
    state = client.get(CODE, headers=headers)

    assert response.status_code == (202 if headers else 302)
    assert state.status_code == 200
    assert {"send_cooldown", "send_ip", "send_recipient"} <= set(counts())
    assert OpenChallenge.objects.count() == 1


def test_a_contact_that_is_taken_at_the_vendor_is_logged_at_the_send(
    client, vendor, settings, caplog
):
    caplog.set_level("INFO")
    consenting.misbehave(settings, send_error=ContactTaken())

    ask_with_consents(client)

    names = [getattr(each, "event_name", "") for each in caplog.records]
    assert "contact_taken" in names
    assert ADDRESS not in caplog.text


def test_a_right_code_clears_the_wrong_ones_of_the_address(client, vendor):
    ask_with_consents(client)
    type_code(client, "wrong1")

    type_code(client, RIGHT)

    assert not {"check_recipient", "check_recipient_day"} & set(counts())


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ProviderUnavailable("down"), 503),
        (ProviderUnavailable("spent", spends_code=True), 503),
        (LoginRefused(), 403),
        (ConsentMissing({"terms"}), 302),
    ],
)
@pytest.mark.usefixtures("vendor")
def test_a_check_without_a_verdict_connects_nothing(
    client, shopper, settings, error, status
):
    ask_with_consents(client)
    consenting.misbehave(settings, check_error=error)

    assert type_code(client, RIGHT).status_code == status
    assert not contacts_of(shopper)


@pytest.mark.parametrize("error", [RecipientRefused(), ConsentMissing({"terms"})])
def test_a_refused_send_leads_back_to_the_first_connect_page(
    client, vendor, settings, error
):
    consenting.misbehave(settings, send_error=error)
    ask_with_consents(client)

    page = client.get(client.get(CODE).url)

    assert page.request["PATH_INFO"] == CONNECT
    assert page.context["form"].errors


@pytest.mark.usefixtures("vendor")
@pytest.mark.parametrize("error", [RecipientRefused(), ConsentMissing({"terms"})])
def test_a_refused_send_is_told_to_nobody_else(
    client, settings, error, django_user_model
):
    consenting.misbehave(settings, send_error=error)
    ask_with_consents(client)
    url = client.get(CODE).url
    become(client, django_user_model.objects.create_user("other"))

    page = client.get(url)

    assert not page.context["form"].is_bound
    assert ADDRESS not in page.text


# The function, which a project may call.


def checked(settled, uid="1"):
    identity = Identity(provider="piggy", uid=uid, email=ADDRESS)
    return CheckedCode(Proof(identity=identity), (), settled.append)


def test_nothing_is_read_from_a_replica(rf, shopper, settings):
    settled: list[BaseException | None] = []
    request = rf.get("/")
    request.user = shopper
    settings.DATABASE_ROUTERS = ["tests.db.routers.ReadsFromReplica"]

    connecting.connect(checked(settled), request=request)
    connecting.connect(checked(settled), request=request)

    assert settled == [None, None]


def test_with_counts_elsewhere_the_first_statement_is_a_write(
    rf, shopper, settings, monkeypatch
):
    """SQLite does not wait for another process after a read: see `contacts.lock`."""
    request = rf.get("/")
    request.user = shopper
    settings.DATABASE_ROUTERS = ["tests.db.routers.SplitsCountsOff"]
    monkeypatch.setattr(transactions, "run", lambda work, **_: work())

    with CaptureQueriesContext(connection) as queries:
        connecting.connect(checked([]), request=request)

    assert queries[0]["sql"].startswith("UPDATE")


def test_nobody_who_is_not_logged_in_gets_a_contact(client):
    log_out(client)
    settled: list[BaseException | None] = []
    request = client.get("/members/").wsgi_request

    with pytest.raises(LoginRefused):
        connecting.connect(checked(settled), request=request)

    assert [type(each) for each in settled] == [type(None), LoginRefused]
    assert not Contact.objects.exists()


@pytest.fixture
def owner(django_user_model):
    """Another user, who has the contact with the id 1."""
    found = django_user_model.objects.create_user("owner")
    Contact.objects.create(
        user=found, provider="piggy", uid="1", verified_at="2026-01-01T00:00Z"
    )


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize(
    ("uid", "event"),
    [("1", "contact_taken"), ("2", "login_refused"), ("3", "already_connected")],
)
def test_a_refused_connection_is_logged(rf, shopper, caplog, uid, event):
    caplog.set_level("INFO")
    type(shopper).objects.filter(pk=shopper.pk).update(is_staff=uid == "2")
    Contact.objects.create(
        user=shopper, provider="piggy", uid="4", verified_at="2026-01-01T00:00Z"
    )
    request = rf.get("/")
    request.user = shopper

    with pytest.raises((ContactTaken, AlreadyConnected, LoginRefused)):
        connecting.connect(checked([], uid), request=request)

    names = [each.event_name for each in caplog.records]
    assert names == [event]
    assert ADDRESS not in caplog.text
