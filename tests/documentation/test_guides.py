"""Run the code of the guides in docs/howto."""

import json
import logging.config
import re
import subprocess
import sys
import unittest
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from django.core.checks import ERROR
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import include, path
from django.utils import timezone

from django_piggy_verify import checks, events
from django_piggy_verify.checks.provider import check_credentials
from django_piggy_verify.login import client_address
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.signals import limit_reached, step_up_recommended
from django_piggy_verify.tokens import get_auth_token
from tests.documentation import pages
from tests.secrecy.evidence import receiving
from tests.steps import (
    ADDRESS,
    JSON,
    STRANGER,
    ask_for_code,
    is_logged_in,
    log_in,
    type_code,
)

TEST = re.compile(r"^def (test_\w+)\((.*)\):", re.MULTILINE)
APART = {"README", "apps", "transmit-login", "tutorial"}
"""The pages whose blocks are parts of a project."""
SETS = re.compile(r"^(?:def )?PIGGY_VERIFY_\w+", re.MULTILINE)


def names(guide):
    """Return the names that all code blocks of a guide define."""
    found: dict[str, Any] = {}
    for block in pages.blocks(guide):
        found |= pages.run(block)
    return found


@pytest.fixture
def project(modules, settings):
    """Return a function that installs the modules and the settings of a guide."""

    def put(guide):
        modules(guide)
        for name, value in names(guide).items():
            if name.startswith(("PIGGY_VERIFY_", "SHOP_")):
                setattr(settings, name, value)

    return put


@pytest.fixture
def backend(settings, monkeypatch):
    """Return a function that uses a backend of a guide for logins."""

    def use(guide, name):
        own = names(guide)[name]
        monkeypatch.setattr(
            f"tests.documentation.test_guides.{name}", own, raising=False
        )
        settings.AUTHENTICATION_BACKENDS = [
            f"tests.documentation.test_guides.{name}",
            "django.contrib.auth.backends.ModelBackend",
        ]
        return own

    return use


# Settings


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(block, id=f"{path.stem}-{number}")
        for path in pages.paths()
        for number, block in enumerate(pages.blocks_of(pages.parsed(path), "python"))
        if SETS.search(block) and path.stem not in APART
    ],
)
def test_the_settings_of_a_page_pass_the_checks(
    request, modules, settings, monkeypatch, source
):
    for name in re.findall(r'os.environ\["(\w+)"\]', source):
        monkeypatch.setenv(name, "from-the-environment")
    monkeypatch.setenv("NORTH_API_KEY", "from-the-environment")
    monkeypatch.setenv("SOUTH_API_KEY", "from-the-environment")
    modules("programmes")
    modules("providers")
    modules("proxies")
    modules("transmit")
    if "SMS_COUNTRIES" in source:
        # Piggy, the default, sends no text messages.
        request.getfixturevalue("sandbox_for")("punchh")
    names = pages.run(source)
    if '"email_by"' in source or "/sandbox/transmit" in source:
        # The block changes the settings of the same page, and does without a key.
        names = pages.run(pages.blocks("transmit")[0]) | names
        del settings.PIGGY_VERIFY_API_KEY
    for name, value in names.items():
        if name.startswith(("PIGGY_VERIFY_", "SHOP_", "DEBUG")):
            setattr(settings, name, value)

    found = [each for each in checks.run(checks.ALWAYS) if each.level >= ERROR]
    assert {each.id for each in found} <= {"piggy_verify.E008", "piggy_verify.E010"}


# Testing


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "fixtures"),
    [match for block in pages.blocks("testing") for match in TEST.findall(block)],
)
def test_a_test_of_the_guide_passes(request, name, fixtures):
    given = {each: request.getfixturevalue(each) for each in fixtures.split(", ")}

    names("testing")[name](**given)


def test_the_test_without_pytest_passes(django_db_setup, django_db_blocker):
    case, result = names("testing")["LoginTest"], unittest.TestResult()

    with django_db_blocker.unblock():
        unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)

    assert result.testsRun == 1
    assert result.errors + result.failures == []


# Several programmes


@pytest.fixture
def programmes(project, settings, monkeypatch, db):
    monkeypatch.setenv("PIGGY_VERIFY_API_KEY", "unused")
    monkeypatch.setenv("NORTH_API_KEY", "key-of-north")
    monkeypatch.setenv("SOUTH_API_KEY", "key-of-south")
    project("programmes")
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {}
    settings.MIDDLEWARE = ["shop.programmes.by_host", *settings.MIDDLEWARE]
    settings.ALLOWED_HOSTS = list(settings.SHOP_PROGRAMMES)


@pytest.fixture
def both(piggy_sandbox, programmes, client_of):
    """A person with the same id in two programmes, who is logged in to both."""
    piggy_sandbox.add_contact(ADDRESS, uid="the-same")
    for name in ("north", "south"):
        browser = client_of(name)
        log_in(browser, piggy_sandbox)
        assert is_logged_in(browser)


@pytest.fixture
def client_of(unlimited):
    return lambda name: Client(SERVER_NAME=f"{name}.example.com")


def test_the_host_decides_whose_key_is_sent(piggy_sandbox, both):
    sent = [call.headers["authorization"] for call in piggy_sandbox.calls]

    assert sent == 3 * ["Bearer key-of-north"] + 3 * ["Bearer key-of-south"]


def test_the_same_id_in_two_programmes_is_two_users(both):
    found = Contact.objects.filter(uid="the-same").values_list("provider", "user_id")

    assert {provider for provider, _ in found} == {"north", "south"}
    assert len({user for _, user in found}) == 2


def test_an_address_is_counted_over_all_programmes(
    piggy_sandbox, programmes, client_of, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {}
    piggy_sandbox.add_contact(ADDRESS)

    for name in ("north", "south"):
        ask_for_code(client_of(name))

    assert [call.name for call in piggy_sandbox.calls] == ["send"]


def test_a_programme_without_a_key_is_named(programmes, settings):
    settings.SHOP_KEYS = {**settings.SHOP_KEYS, "south": None}

    [message] = check_credentials()
    assert (message.id, message.obj) == ("piggy_verify.E001", "south")


def test_the_checks_leave_the_current_programme_as_it_was(programmes, settings):
    settings.ROOT_URLCONF = "tests.public_urls"
    import_module("shop.programmes").current.set("south")

    assert not checks.run(checks.ALWAYS)

    assert import_module("shop.programmes").current.get() == "south"


def test_linked_by_the_address_one_user_is_in_both_programmes(
    settings, piggy_sandbox, programmes, client_of
):
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    piggy_sandbox.add_contact(ADDRESS)

    for name in ("north", "south"):
        log_in(client_of(name), piggy_sandbox)

    assert User.objects.get().piggy_contacts.count() == 2


def test_a_programme_of_its_own_process_has_its_own_contacts(
    settings, piggy_sandbox, contact, client, monkeypatch
):
    monkeypatch.setenv("PIGGY_VERIFY_API_KEY", "of the north")
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = names("programmes")[
        "PIGGY_VERIFY_PROVIDER_OPTIONS"
    ]

    log_in(client, piggy_sandbox)

    assert Contact.objects.get().provider == "north"


# Moving


def test_imported_contacts_log_in_as_who_they_were(contact, client, piggy_sandbox):
    user = User.objects.create_user("old", "old@example.com", "password")
    names("moving")["import_contacts"]([(user.pk, contact.uid), (0, "nobody")])

    log_in(client, piggy_sandbox)

    assert client.session["_auth_user_id"] == str(user.pk)
    assert User.objects.get().has_usable_password()


def test_an_adopted_user_loses_the_password(contact, client, piggy_sandbox, settings):
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = names("moving")["PIGGY_VERIFY_LINK_BY_EMAIL"]
    User.objects.create_user("old", contact.email, "password")

    log_in(client, piggy_sandbox)

    assert not User.objects.get().has_usable_password()


@pytest.mark.skipif(connection.vendor == "mysql", reason="it cannot be rolled back")
def test_the_index_of_the_guide_finds_users_by_their_address(db):
    [operation] = names("moving")["Migration"].operations
    with connection.cursor() as cursor:
        cursor.execute(operation.sql.replace("CONCURRENTLY ", ""))
        indexes = connection.introspection.get_constraints(cursor, "auth_user")

    assert indexes["shop_user_email"]["columns"] == ["email"]


@pytest.fixture
def proved(backend, contact):
    """Users with the address of the contact, proved as in the table of allauth."""
    found: list[Any] = []

    def rows(*, email, verified, user__piggy_contacts):
        assert (email, verified, user__piggy_contacts) == (ADDRESS, True, None)
        return found

    table = SimpleNamespace(objects=SimpleNamespace(filter=rows))
    own = backend("moving", "ProvedBackend")
    own.find_user.__globals__["apps"] = SimpleNamespace(
        is_installed={"allauth.account"}.__contains__,
        get_model=lambda *name: {("account", "EmailAddress"): table}[name],
    )
    return found


@pytest.mark.parametrize(("count", "users"), [(0, 2), (1, 1), (2, 2)])
def test_one_proved_address_finds_its_user_and_several_find_none(
    proved, client, piggy_sandbox, count, users
):
    old = User.objects.create_user("old", ADDRESS)
    proved += count * [SimpleNamespace(user=old)]

    log_in(client, piggy_sandbox)

    assert User.objects.count() == users


def test_passwords_end_for_all_but_staff(db):
    User.objects.create_user("ann", password="password")
    User.objects.create_user("staff", password="password", is_staff=True)

    names("moving")["end_passwords"]()

    able = [user.username for user in User.objects.all() if user.has_usable_password()]
    assert able == ["staff"]


def test_the_old_address_leads_to_the_new_one(client, settings):
    own = path("login/", include("django_piggy_verify.urls"))
    settings.ROOT_URLCONF = (own, *names("moving")["old_pages"])

    response = client.get("/accounts/login/?next=/members/")

    assert response.url == "/login/?next=/members/"


# Front ends


@pytest.fixture
def scripted(client, settings):
    """Put the pages for scripts that take over forms where the guide says."""
    settings.ROOT_URLCONF = tuple(names("front-end")["urlpatterns"])
    return client


def test_a_bad_address_comes_back_with_the_status_that_scripts_want(scripted):
    page = ask_for_code(scripted, "ann")

    assert page.status_code == 422
    assert "Enter an email address like" in page.text


def test_an_unknown_contact_comes_back_with_the_same_status(
    scripted, settings, contact
):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False

    page = ask_for_code(scripted, STRANGER)

    assert page.status_code == 422
    assert "We know no member" in page.text


@pytest.mark.parametrize("typed", ["wrong", ""])
def test_a_refused_code_comes_back_with_the_same_status(scripted, contact, typed):
    ask_for_code(scripted)

    page = type_code(scripted, typed)

    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.text


def test_for_scripts_that_want_json_that_status_is_still_400(scripted, contact):
    assert scripted.post("/login/", headers=JSON).status_code == 400


def test_htmx_is_told_to_show_pages_of_every_status():
    [meta] = pages.blocks("front-end", of="html")

    rules = json.loads(meta.split("'")[1])["responseHandling"]
    codes = {rule["code"]: rule["swap"] for rule in rules}
    assert codes == {"204": False, "[23]..": True, "[45]..": True}


# Users


@pytest.fixture
def staff(backend, settings, user, client, unlimited):
    """A staff user, on a site that allows staff without dangerous permissions."""
    user.is_staff = True
    user.save()
    settings.PIGGY_VERIFY_ALLOW_STAFF = True
    backend("staff", "CounterBackend")
    client.logout()
    return user


def test_the_backend_of_the_guide_lets_in_harmless_staff(staff, client, piggy_sandbox):
    log_in(client, piggy_sandbox)

    assert is_logged_in(client)


def test_the_backend_of_the_guide_keeps_out_who_may_change_users(
    staff, client, piggy_sandbox
):
    staff.user_permissions.add(Permission.objects.get(codename="change_user"))

    assert log_in(client, piggy_sandbox).status_code == 403


def test_the_backend_of_the_guide_keeps_out_superusers(staff, client, piggy_sandbox):
    User.objects.update(is_superuser=True)

    assert log_in(client, piggy_sandbox).status_code == 403


def test_the_backend_of_the_guide_fills_in_the_name(
    backend, contact, client, piggy_sandbox
):
    backend("user-model", "MemberBackend")

    log_in(client, piggy_sandbox)

    assert re.fullmatch(r"member-\w{12}", User.objects.get().username)


def test_the_backend_of_the_guide_closes_the_doors_of_an_adopted_user():
    [block] = [each for each in pages.blocks("users") if "LinkingBackend" in each]
    command = [sys.executable, "-W", "error", "-m", "tests.documentation.adopting"]

    run = subprocess.run(
        command, input=block, capture_output=True, text=True, check=False
    )

    assert run.stderr == ""
    ann, bob = json.loads(run.stdout)
    assert not any(ann[each] for each in ann.keys() - {"addresses"})
    assert ann["addresses"] == ["ann@example.com"]
    assert all(bob.values())
    assert bob["addresses"] == ["bob@elsewhere.example", "bob@example.com"]


@pytest.fixture
def report(settings):
    """Put the page of the guide that needs a permission at an address."""
    settings.ROOT_URLCONF = (
        path("login/", include("django_piggy_verify.urls")),
        path("report/", names("users")["report"]),
    )
    return "/report/"


def test_a_member_without_the_permission_is_not_led_in_circles(client, member, report):
    assert client.get(report, follow=True).status_code == 403


def test_a_visitor_of_the_page_with_a_permission_logs_in_first(
    client, report, settings, db
):
    settings.LOGIN_URL = "piggy_verify:email"

    assert client.get(report).url == "/login/?next=/report/"


def test_a_member_with_the_permission_sees_the_page(client, member, report):
    member.user_permissions.add(Permission.objects.get(codename="view_user"))

    assert client.get(report).text == "The report"


@pytest.fixture
def recommending(sandbox_for, db):
    """The sandbox of a vendor that recommends a further check at each login."""
    sandbox = sandbox_for("verifik")
    sandbox.switches.face_liveness = True
    return sandbox


def test_dealers_are_refused_if_a_check_is_recommended(
    client, recommending, backend, unlimited
):
    log_in(client, recommending)
    User.objects.get().groups.create(name="dealers")
    backend("users", "CarefulBackend")

    assert log_in(Client(), recommending).status_code == 403


def test_others_are_not_refused_if_a_check_is_recommended(
    client, recommending, backend
):
    backend("users", "CarefulBackend")

    log_in(client, recommending)

    assert is_logged_in(client)


def test_a_recommended_check_is_noted_in_the_session(client, recommending):
    note = names("users")["note_hint"]

    with receiving(step_up_recommended, note):
        log_in(client, recommending)

    assert client.session["recommended_check"] == "face_liveness"


# Tokens, the portal, proxies, operating


@pytest.fixture
def portal(settings, rf):
    settings.ROOT_URLCONF = (
        *names("portal")["portal_pages"],
        path("login/", include("django_piggy_verify.urls")),
    )
    return names("portal")["to_the_portal"]


def test_the_page_of_the_guide_leads_to_the_portal(user, client, portal):
    assert client.get("/portal/").url.startswith("https://portal.invalid/")


def test_code_of_the_guide_leads_to_the_portal(user, rf, portal):
    request = rf.get("/")
    request.user = user

    assert portal(request).url.startswith("https://portal.invalid/")


def test_code_of_the_guide_leads_elsewhere_without_a_contact(db, rf, portal):
    request = rf.get("/")
    request.user = User.objects.create_user("bob")

    assert portal(request).url == "/members/"


def test_the_token_is_answered_or_none(user, piggy_sandbox):
    token_or_none = names("auth-tokens")["token_or_none"]
    stranger = get_user_model()(pk=0)

    assert token_or_none(user) == get_auth_token(user)
    assert token_or_none(stranger) is None


@pytest.fixture
def orders(settings):
    """The view of the guide that needs a token."""
    view = names("auth-tokens")["my_orders"]
    settings.ROOT_URLCONF = (
        path("login/", include("django_piggy_verify.urls")),
        path("orders/", view),
    )


def test_a_view_of_the_guide_uses_the_token_of_the_login(client, recommending, orders):
    log_in(client, recommending)

    assert client.get("/orders/").status_code == 200


def test_after_the_token_the_guide_leads_to_another_login(client, recommending, orders):
    log_in(client, recommending)
    AuthToken.objects.update(expires_at=timezone.now())

    response = client.get("/orders/")

    assert response.url == "/login/?next=/orders/"
    assert client.get(response.url).status_code == 200


def test_visitors_behind_a_counted_proxy_are_told_apart(
    settings, client, piggy_sandbox, contact
):
    count = names("proxies")["PIGGY_VERIFY_TRUSTED_PROXY_COUNT"]
    settings.PIGGY_VERIFY_TRUSTED_PROXY_COUNT = count
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}

    answers = [
        client.post(
            "/login/", {"email": each}, headers={"x-forwarded-for": f"6.6.6.6, {ip}"}
        ).status_code
        for each, ip in (
            ("a@b.nl", "1.1.1.1"),
            ("c@b.nl", "2.2.2.2"),
            (ADDRESS, "1.1.1.1"),
        )
    ]
    assert answers == [302, 302, 429]


@pytest.mark.parametrize(
    ("named", "host", "address"),
    [
        ("behind_cloudflare", "shop.example.com", "203.0.113.1"),
        ("behind_front_door", "shop.example.com", "203.0.113.2"),
        ("behind_a_cdn_on_one_host", "shop.example.com", "203.0.113.1"),
        ("behind_a_cdn_on_one_host", "localhost", "127.0.0.1"),
    ],
)
def test_the_callables_of_the_guide_find_the_address_of_the_cdn(
    modules, settings, named, host, address
):
    modules("proxies")
    settings.ALLOWED_HOSTS = [host]
    settings.PIGGY_VERIFY_CLIENT_ADDRESS = f"shop.addresses.{named}"
    cdn = {"cf-connecting-ip": "203.0.113.1", "x-azure-socketip": "203.0.113.2"}

    request = RequestFactory().get("/", headers={"host": host, **cdn})

    assert client_address.of(request) == address


def test_the_receiver_of_the_guide_counts_limits():
    found = names("operating")

    with receiving(limit_reached, found["count"]):
        limit_reached.send_robust(None, limit="send_ip")

    assert found["reached"] == {"send_ip": 1}


def test_the_log_of_the_guide_names_the_events(caplog):
    configured = logging.config.DictConfigurator(names("operating")["LOGGING"])
    words = configured.config["formatters"]["events"]
    caplog.set_level(logging.INFO, logger="django_piggy_verify")

    events.CODE_SENT.log(recipient="ann@example.com")

    [record] = caplog.records
    line = configured.configure_formatter(words).format(record)
    assert line.endswith(" INFO code_sent: A code was sent to a***@example.com")
    assert set(configured.config["loggers"]) == {record.name}
