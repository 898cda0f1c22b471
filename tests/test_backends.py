import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.http import HttpRequest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.exceptions import (
    LoginRefused,
    ProviderRefused,
    ProviderUnavailable,
    TooManyAttempts,
)
from django_piggy_verify.login import contacts
from django_piggy_verify.models import Contact, Tally
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Challenge, Identity
from django_piggy_verify.sandbox import Fault
from tests.db.between_statements import before_the_next
from tests.steps import ADDRESS, SPELLINGS, calls

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
def failed():
    """The keyword arguments of each `user_login_failed`."""
    fired = []

    def note(**kwargs):
        fired.append(kwargs)

    user_login_failed.connect(note)
    yield fired
    user_login_failed.disconnect(note)


@pytest.fixture
def prove(contact, piggy_sandbox):
    """Return a function that logs an address in and returns the user."""

    def prove_address(address=ADDRESS):
        get_provider().send_code(Challenge(recipient=address))
        code = piggy_sandbox.last_code(address)
        return authenticate(None, recipient=address, secret_code=code)

    return prove_address


def test_an_unknown_id_gets_a_new_user(prove, contact):
    user = prove()

    assert user.email == ADDRESS
    assert not user.has_usable_password()
    assert user.username
    assert ADDRESS not in user.username
    assert contact.uid not in user.username


def test_the_contact_is_recorded_with_what_was_proved(prove, contact):
    user = prove()

    row = Contact.objects.get()
    assert (row.provider, row.uid, row.email) == ("piggy", contact.uid, ADDRESS)
    assert (row.user, row.phone) == (user, "")
    assert row.created_at <= row.verified_at


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS.upper()])
def test_a_known_id_logs_in_its_user(prove, address):
    assert prove() == prove(address)


def test_a_contact_whose_user_was_deleted_gets_a_new_one(prove):
    gone = prove()
    User.objects.all().delete()

    user = prove()

    assert user.pk
    assert user.username != gone.username
    assert Contact.objects.get().user == user


def test_a_changed_address_changes_the_contact_but_not_the_user(
    prove, contact, piggy_sandbox
):
    user = prove()
    piggy_sandbox.add_contact("ann@new.example", uid=contact.uid)

    assert prove("ann@new.example") == user
    assert Contact.objects.get().email == "ann@new.example"
    assert User.objects.get().email == ADDRESS


def test_a_recycled_mailbox_gets_another_user(prove, piggy_sandbox):
    user = prove()
    piggy_sandbox.add_contact(ADDRESS, uid="somebody-else")

    assert prove() != user


def test_ids_that_differ_in_case_are_different_contacts(prove, piggy_sandbox):
    piggy_sandbox.add_contact(ADDRESS, uid="abc")
    user = prove()
    piggy_sandbox.add_contact(ADDRESS, uid="ABC")

    assert prove() != user


def test_the_same_id_at_another_provider_is_another_user(prove, settings):
    user = prove()
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"name": "second-shop"}

    assert prove() != user


@pytest.mark.parametrize("flag", ["is_active", "is_staff", "is_superuser"])
def test_a_user_with_the_same_address_is_not_adopted_by_default(prove, flag):
    local = User.objects.create(username="ann", email=ADDRESS, **{flag: True})

    user = prove()

    assert user != local
    assert not any((user.is_staff, user.is_superuser))


def test_linking_adopts_the_user_with_exactly_the_address(prove, settings):
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    local = User.objects.create_user("ann", ADDRESS)

    assert prove() == local
    assert prove() == local


def test_an_adopted_user_cannot_be_entered_by_the_old_password(prove, settings):
    """The earlier user of the address must not keep a way into the account."""
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    User.objects.create_user("mallory", ADDRESS, "secret")
    before = User.objects.get().get_session_auth_hash()

    adopted = prove()

    assert not adopted.has_usable_password()
    assert User.objects.get().get_session_auth_hash() != before


LOOK_ALIKES = [
    "ANN@example.com",
    "ann@EXAMPLE.com",
    "\u0430nn@example.com",
    "\uff41nn@example.com",
    "\u00e1nn@example.com",
    "ann\u200b@example.com",
    "ann@ex\u00e1mple.com",
    "ann@example.com ",
]


@pytest.mark.parametrize("address", LOOK_ALIKES, ids=ascii)
def test_linking_adopts_no_other_spelling(prove, settings, address):
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    local = User.objects.create(username="ann", email=address)

    assert prove() != local


def test_linking_finds_the_user_among_look_alikes(prove, settings):
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    for number, address in enumerate(LOOK_ALIKES):
        User.objects.create(username=number, email=address)
    local = User.objects.create(username="ann", email=ADDRESS)

    assert prove() == local


def test_linking_compares_the_address_as_typed(prove, settings):
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    local = User.objects.create_user("ann", ADDRESS)

    assert prove(ADDRESS.upper()) != local


def test_linking_adopts_nobody_if_two_have_the_address(prove, settings):
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    local = {User.objects.create_user(name, ADDRESS) for name in ("ann", "bob")}

    assert prove() not in local


def test_linking_adopts_no_user_who_is_a_contact_already(
    prove, settings, piggy_sandbox
):
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    user = prove()
    piggy_sandbox.add_contact(ADDRESS, uid="somebody-else")

    assert prove() != user


@pytest.mark.parametrize("other", [ADDRESS, "mallory@example.com", ""])
def test_linking_adopts_no_user_with_a_contact_of_another_address(
    prove, settings, other
):
    """A stranger who has connected it would still log in with it."""
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    local = User.objects.create_user("mallory", ADDRESS)
    local.piggy_contacts.create(
        provider="elsewhere", uid="1", email=other, verified_at=timezone.now()
    )

    assert (prove() == local) is (other == ADDRESS)


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
def test_linking_never_adopts_staff(prove, settings, flag):
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    User.objects.create(username="ann", email=ADDRESS, **{flag: True})

    with pytest.raises(LoginRefused):
        prove()

    assert not Contact.objects.exists()


@pytest.mark.parametrize(
    "change", [{"is_staff": True}, {"is_superuser": True}, {"is_active": False}]
)
def test_staff_and_inactive_users_are_refused(prove, change):
    prove()
    User.objects.update(**change)

    with pytest.raises(LoginRefused):
        prove()


def test_inactive_users_are_refused_where_staff_are_not(prove, settings):
    settings.PIGGY_VERIFY_ALLOW_STAFF = True
    prove()
    User.objects.update(is_staff=True, is_active=False)

    with pytest.raises(LoginRefused):
        prove()


class MistakenBackend(PiggyBackend):
    def find_user(self, request, identity):
        return User.objects.get_or_create(username="somebody-else")[0]


def test_a_contact_never_passes_from_one_user_to_another(prove, settings):
    user = prove()
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.MistakenBackend"]

    with pytest.raises(LoginRefused):
        prove()

    assert Contact.objects.get().user == user


def test_staff_may_log_in_where_the_project_allows_it(prove, settings):
    settings.PIGGY_VERIFY_ALLOW_STAFF = True
    user = prove()
    User.objects.update(is_staff=True)

    assert prove() == user


def test_without_creation_an_unknown_contact_is_refused(prove, settings):
    settings.PIGGY_VERIFY_CREATE_USERS = False

    with pytest.raises(LoginRefused):
        prove()

    assert not User.objects.exists()


class VetoBackend(PiggyBackend):
    def can_log_in(self, request, user):
        return False


class StaffBackend(PiggyBackend):
    def create_user(self, request, identity):
        return User.objects.create(username="boss", is_staff=True)


class TwinBackend(PiggyBackend):
    def find_user(self, request, identity):
        return None


@pytest.mark.parametrize("backend", [VetoBackend, StaffBackend])
def test_a_refused_new_user_leaves_nothing_behind(prove, settings, backend):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.{backend.__name__}"]

    with pytest.raises(LoginRefused):
        prove()

    assert not User.objects.exists()
    assert not Contact.objects.exists()


@pytest.mark.parametrize(("taken", "names"), [(2, 1), (3, 0)])
def test_a_taken_random_username_is_replaced(prove, monkeypatch, taken, names):
    User.objects.create(username="taken")
    drawn = iter(["taken"] * taken + ["free"])
    monkeypatch.setattr(contacts, "get_random_string", lambda *_: next(drawn))

    with suppress(LoginRefused):
        prove()

    assert User.objects.filter(username="free").count() == names
    assert Contact.objects.count() == names


def test_a_user_that_the_database_refuses_cannot_log_in(prove, settings):
    prove()
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.TwinBackend"]

    with pytest.raises(LoginRefused):
        prove()

    assert User.objects.count() == 1


class ForgetfulBackend(PiggyBackend):
    def create_user(self, request, identity):
        wanting: Any = None
        return User.objects.create(username=identity.uid, last_name=wanting)


def test_a_required_field_without_a_value_is_logged_for_the_operator(
    prove, settings, caplog
):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.ForgetfulBackend"]

    with pytest.raises(LoginRefused):
        prove()

    assert "does not set a required field" in caplog.text


class CopyingBackend(PiggyBackend):
    def update_user(self, request, user, identity):
        user.email = identity.email
        user.save()


def test_update_user_may_copy_what_changed(prove, settings, contact, piggy_sandbox):
    prove()
    piggy_sandbox.add_contact("ann@new.example", uid=contact.uid)
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.CopyingBackend"]

    assert prove("ann@new.example").email == "ann@new.example"


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        ("EmailUser", "email", f"^{ADDRESS}$"),
        ("CardUser", "card", "^[a-z2-9]{8}$"),
        ("NumberUser", "number", "^7$"),
    ],
)
def test_users_of_other_models_get_their_username_field(
    db, settings, model, field, value
):
    settings.AUTH_USER_MODEL = f"people.{model}"
    identity = Identity(provider="piggy", uid="one", email=ADDRESS)

    user = PiggyBackend().create_user(None, identity)

    assert re.match(value, str(getattr(user, field)))
    assert user.pk
    assert not user.has_usable_password()


BY_NUMBER = Identity(provider="piggy", uid="one", phone="+31612345678")


def test_a_user_model_with_unique_addresses_refuses_users_without_one(db, settings):
    """Otherwise the first person with a number only would keep out all others."""
    settings.AUTH_USER_MODEL = "people.AddressUser"

    with pytest.raises(LoginRefused, match="needs an address"):
        PiggyBackend().create_user(None, BY_NUMBER)


def test_many_users_may_have_no_address_if_it_can_be_null(db, settings):
    settings.AUTH_USER_MODEL = "people.NullableUser"

    for _number in range(2):
        user: Any = PiggyBackend().create_user(None, BY_NUMBER)
        assert user.email is None


def test_linking_finds_nobody_in_a_model_without_email(db, settings):
    settings.AUTH_USER_MODEL = "people.CardUser"
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    identity = Identity(provider="piggy", uid="one", email=ADDRESS)

    assert contacts.only_user_with_email(identity) is None


def test_a_wrong_code_returns_none_and_is_a_failed_login(contact, failed):
    user = authenticate(None, recipient=ADDRESS, secret_code="wrong", username=ADDRESS)

    assert user is None
    assert failed[0]["credentials"]["username"] == ADDRESS
    assert "wrong" not in str(failed)


@pytest.mark.parametrize(("recipient", "code"), [("ann", "1"), (ADDRESS, " ")])
def test_an_invalid_address_or_code_returns_none(
    contact, piggy_sandbox, recipient, code
):
    assert authenticate(None, recipient=recipient, secret_code=code) is None
    assert not piggy_sandbox.calls


@pytest.mark.parametrize("recipient", SPELLINGS.values(), ids=SPELLINGS)
def test_authenticate_takes_every_spelling_of_an_address(
    contact, piggy_sandbox, recipient
):
    get_provider().send_code(Challenge(recipient=ADDRESS))
    code = piggy_sandbox.last_code(ADDRESS)

    assert authenticate(None, recipient=recipient, secret_code=code)


@pytest.mark.parametrize("recipient", SPELLINGS.values(), ids=SPELLINGS)
def test_a_used_code_is_refused_for_every_spelling_of_an_address(
    contact, piggy_sandbox, recipient
):
    piggy_sandbox.switches.reuse_codes = True
    get_provider().send_code(Challenge(recipient=ADDRESS))
    code = piggy_sandbox.last_code(ADDRESS)
    authenticate(None, recipient=ADDRESS, secret_code=code)

    assert authenticate(None, recipient=recipient, secret_code=code) is None
    assert calls(piggy_sandbox) == ["send", "verify"]


@pytest.mark.parametrize("spell", [str.upper, str.lower, " {} ".format])
def test_a_used_code_is_refused_in_any_spelling(contact, piggy_sandbox, spell):
    piggy_sandbox.switches.reuse_codes = True
    get_provider().send_code(Challenge(recipient=ADDRESS))
    piggy_sandbox.mails[0].code = "aBc9"
    authenticate(None, recipient=ADDRESS, secret_code="aBc9")

    again = authenticate(None, recipient=spell(ADDRESS), secret_code=spell("aBc9"))

    assert again is None
    assert calls(piggy_sandbox) == ["send", "verify"]


def test_a_used_code_stays_used_for_as_long_as_a_login_is_open(
    prove, piggy_sandbox, time_machine
):
    """The time begins after the call that used the code."""
    piggy_sandbox.switches.reuse_codes, piggy_sandbox.code_lifetime = True, 9999.0
    time_machine.move_to(0, tick=False)
    user = prove()
    proof = {"recipient": ADDRESS, "secret_code": piggy_sandbox.last_code(ADDRESS)}

    time_machine.shift(600 + 10 - 1)
    assert authenticate(None, **proof) is None
    time_machine.shift(1)
    assert authenticate(None, **proof) == user


@pytest.mark.parametrize("fault", [None, Fault.OUTAGE], ids=["wrong", "outage"])
def test_an_attempt_before_does_not_shorten_the_time_that_a_code_stays_used(
    contact, piggy_sandbox, time_machine, fault
):
    """A guess was wrong, or an outage came, and later the code was right."""
    piggy_sandbox.switches.reuse_codes, piggy_sandbox.code_lifetime = True, 9999.0
    time_machine.move_to(0, tick=False)
    proof = {"recipient": ADDRESS, "secret_code": "a1b2"}
    piggy_sandbox.switches.fault = fault
    with suppress(ProviderUnavailable):
        authenticate(None, **proof)
    piggy_sandbox.switches.fault = None
    time_machine.shift(500)
    get_provider().send_code(Challenge(recipient=ADDRESS))
    piggy_sandbox.mails[0].code = "a1b2"

    assert authenticate(None, **proof)
    time_machine.shift(600)
    assert authenticate(None, **proof) is None


def test_a_code_that_another_member_used_is_accepted(prove, piggy_sandbox):
    piggy_sandbox.add_contact("bob@example.com")
    prove()
    get_provider().send_code(Challenge(recipient="bob@example.com"))
    code = piggy_sandbox.mails[0].code = piggy_sandbox.mails[1].code

    assert authenticate(None, recipient="bob@example.com", secret_code=code)


def test_a_wrong_setting_raises(contact, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_ip": "30 per hour"}

    with pytest.raises(ValueError, match="written like"):
        authenticate(HttpRequest(), recipient=ADDRESS, secret_code="1")


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.OUTAGE, ProviderUnavailable), (Fault.UNAUTHORIZED, ProviderRefused)],
)
def test_an_outage_and_a_refused_key_raise_and_are_no_failed_login(
    contact, piggy_sandbox, failed, fault, error
):
    piggy_sandbox.switches.fault = fault

    with pytest.raises(error):
        authenticate(None, recipient=ADDRESS, secret_code="1")

    assert failed == []


def test_an_exhausted_limit_raises(contact, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_recipient": "1/1h"}
    authenticate(None, recipient=ADDRESS, secret_code="1")

    with pytest.raises(TooManyAttempts) as caught:
        authenticate(None, recipient=ADDRESS, secret_code="2")

    assert caught.value.limit == "check_recipient"


def test_password_logins_do_not_concern_the_backend(db, client):
    User.objects.create_user("bob", password="secret")

    assert client.login(username="bob", password="secret")


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"is_staff": True}, {"is_superuser": True}]
)
def test_a_user_who_became_refused_is_anonymous_at_the_next_request(
    client, member, change
):
    """A user who became staff must not keep a session that a code began."""
    User.objects.update(**change)

    assert client.get("/members/").text == "user None"


@pytest.mark.parametrize("is_active", [True, False])
def test_a_test_client_lets_active_staff_in(client, db, is_active):
    staff = User.objects.create(is_staff=True, is_active=is_active)

    client.force_login(staff)

    assert client.get("/members/").text == f"user {staff.pk if is_active else None}"


def test_staff_stay_logged_in_where_the_project_allows_it(client, member, settings):
    settings.PIGGY_VERIFY_ALLOW_STAFF = True
    User.objects.update(is_staff=True)

    assert client.get("/members/").text == f"user {member.pk}"


def test_a_session_of_a_user_who_is_gone_is_anonymous(client, member):
    User.objects.all().delete()

    assert not Contact.objects.exists()
    assert client.get("/members/").content == b"user None"


class Credulous:
    """A provider that accepts any code. The backend accepts each only once."""

    name = "piggy"

    def check_code(self, challenge, code):
        return Identity(provider="piggy", uid="one", email=challenge.recipient)


@pytest.mark.django_db(transaction=True)
def test_first_logins_at_once_make_one_user(settings):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.Credulous"
    barrier = threading.Barrier(16)

    def prove(number):
        barrier.wait()
        user = authenticate(None, recipient=ADDRESS, secret_code=str(number))
        connections.close_all()
        return user

    with ThreadPoolExecutor(16) as pool:
        users = set(pool.map(prove, range(16)))

    assert users == {User.objects.get()} == {Contact.objects.get().user}


def test_with_the_counts_in_another_database_the_contacts_are_locked_first(
    prove, monkeypatch
):
    """After a read, SQLite does not wait for another process that writes."""
    apart = SimpleNamespace(db_for_write=lambda model: model.__name__)
    monkeypatch.setattr(contacts, "router", apart)

    with CaptureQueriesContext(connection) as captured:
        prove()

    of_contacts = (each["sql"] for each in captured if "_contact" in each["sql"])
    assert next(of_contacts).startswith("UPDATE")


def test_a_contact_that_the_project_stores_has_its_time_of_creation(db):
    before = timezone.now()

    row = Contact.objects.create(
        user=User.objects.create_user("ann"), uid="one", verified_at=before
    )

    assert before <= row.created_at <= timezone.now()


@pytest.fixture
def adoptable(settings, contact):
    """A user with a password and the address of the contact."""
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    return User.objects.create_user("ann", ADDRESS, "secret")


def identity_of(contact):
    return Identity(provider="piggy", uid=contact.uid, email=ADDRESS)


def admitted_elsewhere(contact):
    """Admit the contact in another thread, which has its own connection."""

    def admit():
        user = PiggyBackend().admit(None, identity_of(contact))
        connections.close_all()
        return user

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(admit).result()


@pytest.mark.django_db(transaction=True)
def test_two_first_logins_at_once_adopt_a_user_once(adoptable, contact):
    users = []
    # SQLite lets nobody else write after the first write of a transaction.
    moment = "UPDATE" if connection.vendor == "sqlite" else "INSERT"

    with before_the_next(moment, lambda: users.append(admitted_elsewhere(contact))):
        users.append(PiggyBackend().admit(None, identity_of(contact)))

    hashes = [each.get_session_auth_hash() for each in users]
    assert hashes == 2 * [User.objects.get().get_session_auth_hash()]


class HesitantBackend(PiggyBackend):
    def adopt_user(self, request, user, identity):
        super().adopt_user(request, user, identity)
        raise LoginRefused


def test_a_refused_adoption_leaves_nothing_behind(prove, settings, adoptable):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.HesitantBackend"]

    with pytest.raises(LoginRefused):
        prove()

    assert not Contact.objects.exists()
    assert User.objects.get().has_usable_password()


class KeepingBackend(PiggyBackend):
    def adopt_user(self, request, user, identity):
        user.last_name += "adopted by " + identity.email
        user.save()


def test_a_user_is_adopted_at_the_first_login_alone(prove, settings, adoptable):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.KeepingBackend"]

    prove()
    prove()

    assert User.objects.get().last_name == f"adopted by {ADDRESS}"
    assert User.objects.get().has_usable_password()


def test_a_new_user_is_not_adopted(prove, settings):
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.KeepingBackend"]

    prove()

    assert User.objects.get().last_name == ""


@pytest.fixture
def proving(settings, django_user_model):
    """A user who may have codes sent, with a provider that cannot log in."""
    settings.PIGGY_VERIFY_PROVIDER = "tests.attributes.Prover"
    settings.PIGGY_VERIFY_USER_ACCESS = "tests.attributes.access_of_ann"
    return django_user_model.objects.create_user("ann", ADDRESS, "password")


@pytest.mark.parametrize(
    ("recipient", "code"),
    [(ADDRESS, "123456"), (ADDRESS, ""), ("no address", "123456")],
    ids=["right", "blank", "malformed"],
)
def test_a_provider_that_cannot_log_in_logs_nobody_in(proving, rf, recipient, code):
    with pytest.raises(ImproperlyConfigured, match="Prover cannot log anybody in"):
        authenticate(rf.get("/"), recipient=recipient, secret_code=code)


def test_an_attempt_without_a_login_is_not_counted(proving, rf, failed):
    with CaptureQueriesContext(connection) as queries, suppress(ImproperlyConfigured):
        authenticate(rf.get("/"), recipient=ADDRESS, secret_code="123456")

    assert not Tally.objects.exists()
    assert len(queries) == 0
    assert failed == []


def test_passwords_log_in_beside_a_provider_that_cannot(proving, rf):
    user = authenticate(rf.get("/"), username="ann", password="password")

    assert user == proving
