"""Run the code of the guide to the connect pages."""

import json
import re
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.template import Context, Template
from django.test import Client
from django.urls import include, path, reverse

from django_piggy_verify import urls_connect
from django_piggy_verify.checks.pages import check_connecting
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.signals import contact_connected
from django_piggy_verify.tokens import get_auth_token
from tests.documentation import pages
from tests.secrecy.evidence import receiving
from tests.steps import ADDRESS, JSON, log_in

GUIDE = pages.parsed(pages.DOCS / "howto/connecting.rst")
CONNECT = "/login/connect/"
CODE = f"{CONNECT}code/"
DISCONNECT = f"{CONNECT}disconnect/"
LOGIN_PAGES = path("login/", include("django_piggy_verify.urls"))
PASSWORD = "secret-words"


def block_with(text):
    """Return the only block of the guide with this text."""
    [block] = [each for each in pages.blocks("connecting") if text in each]
    return block


def names_with(text):
    """Return the names that the only block of the guide with this text defines."""
    return pages.run(block_with(text))


@pytest.fixture
def guide(settings):
    """Return a function that uses the URLs of a block of the guide."""
    settings.PIGGY_VERIFY_CONNECT = names_with("_CONNECT =")["PIGGY_VERIFY_CONNECT"]

    def use(text, *changes):
        block = block_with(text)
        for old, new in changes:
            assert old in block
            block = block.replace(old, new)
        names = pages.run(block)
        settings.ROOT_URLCONF = tuple(names["urlpatterns"])
        return names

    return use


@pytest.fixture
def shopper(client, db):
    """A user with a password, who has logged in with `client`."""
    user = User.objects.create_user("shopper", "shopper@example.com", PASSWORD)
    client.login(username="shopper", password=PASSWORD)
    return user


def ask(browser, page=CONNECT, **options):
    return browser.post(page, {"email": ADDRESS}, **options)


def connect(browser, sandbox, page=CONNECT):
    ask(browser, page)
    return browser.post(f"{page}code/", {"code": sandbox.last_code(ADDRESS)})


def cells(title):
    return pages.table([GUIDE], title)


# Turn it on


def test_the_urls_of_the_guide_are_the_connect_pages_alone(
    guide, client, shopper, contact, piggy_sandbox
):
    guide('include("django_piggy_verify.urls_connect")')

    response = connect(client, piggy_sandbox, "/account/connect/")

    assert response.url == "/account/connect/"
    assert Contact.objects.get().user == shopper
    assert client.get("/account/").status_code == 404


def test_the_guide_lists_every_connect_page():
    paths = {each.name: str(each.pattern) for each in urls_connect.urlpatterns}

    listed = {name: row[0] for name, row in cells("Name of the URL").items()}
    assert listed == paths


# What connecting means


def test_a_connection_fetches_no_auth_token_until_it_is_needed(
    guide, shopper, client, contact, piggy_sandbox
):
    connect(client, piggy_sandbox)
    before = AuthToken.objects.count()

    get_auth_token(shopper)

    assert (before, AuthToken.objects.count()) == (0, 1)


# Choose LOGIN_URL


@pytest.fixture
def second(contact, guide, piggy_sandbox, unlimited, shopper):
    """The second user of a shopper who has typed a code before connecting."""
    log_in(Client(), piggy_sandbox)
    return Contact.objects.get().user


def test_a_code_before_the_connection_creates_a_second_user(
    second, shopper, client, piggy_sandbox
):
    assert second != shopper
    assert connect(client, piggy_sandbox).context["conflict"] == "contact_taken"


def test_the_second_user_cannot_disconnect(second, client, settings):
    client.force_login(second, settings.AUTHENTICATION_BACKENDS[0])

    page = client.post(DISCONNECT, {"contact": second.piggy_contacts.get().pk})

    assert page.context["conflict"] == "only_way_in"


@pytest.mark.parametrize("is_user", [False, True])
def test_staff_free_a_contact_in_the_admin(
    second, admin_client, client, piggy_sandbox, is_user
):
    row = second if is_user else second.piggy_contacts.get()
    names = f"{row._meta.app_label}_{row._meta.model_name}"
    page = reverse(f"admin:{names}_delete", args=[row.pk])
    admin_client.post(page, {"post": "yes"})

    connect(client, piggy_sandbox)

    assert Contact.objects.get().user.username == "shopper"


@pytest.mark.usefixtures("guide", "contact", "unlimited")
def test_with_the_settings_of_the_guide_no_code_creates_a_user(
    shopper, client, piggy_sandbox, settings
):
    for name, value in names_with("_CREATE_USERS").items():
        if name.isupper():
            setattr(settings, name, value)

    response = log_in(Client(), piggy_sandbox)
    connect(client, piggy_sandbox)

    assert response.status_code == 403
    assert Contact.objects.get().user == shopper


def test_the_page_for_the_password_links_to_the_login_by_code():
    [block] = [
        each for each in pages.blocks("connecting", of="html+django") if "next=" in each
    ]

    link = Template(block).render(Context({"next": "/points/?a=1"}))

    assert 'href="/login/?next=/points/%3Fa%3D1"' in link


# Who may connect, and disconnect


@pytest.fixture
def customer(guide, shopper):
    guide("CustomersOnly")
    shopper.groups.add(Group.objects.create(name="customers"))
    return shopper


def test_a_customer_of_the_guide_connects_a_contact(
    customer, client, contact, piggy_sandbox
):
    connect(client, piggy_sandbox)

    assert Contact.objects.get().user == customer


def test_nobody_else_may_begin(guide, shopper, client, contact, piggy_sandbox):
    guide("CustomersOnly")

    assert client.get(CONNECT).status_code == 403
    assert ask(client).status_code == 403
    assert not piggy_sandbox.mails


def test_who_is_no_customer_any_more_cannot_use_the_code(
    customer, client, contact, piggy_sandbox
):
    ask(client)
    customer.groups.clear()

    response = client.post(CODE, {"code": piggy_sandbox.last_code(ADDRESS)})

    assert response.status_code == 403
    assert not Contact.objects.exists()


def test_who_is_no_customer_any_more_can_disconnect(
    customer, client, contact, piggy_sandbox
):
    connect(client, piggy_sandbox)
    customer.groups.clear()

    client.post(DISCONNECT, {"contact": Contact.objects.get().pk})

    assert not Contact.objects.exists()


ALONE = [
    ("import urls\n", "import urls_connect as urls\n"),
    ('path("login/"', 'path("account/"'),
]
"""The changes for a site that has only the connect pages."""


def test_a_site_with_the_connect_pages_alone_has_the_hook_too(guide, shopper, client):
    guide("CustomersOnly", *ALONE)

    assert client.get("/account/connect/").status_code == 403
    assert client.get("/login/").status_code == 404


@pytest.mark.usefixtures("shopper", "contact")
@pytest.mark.parametrize("text", ["CustomersOnly", "CarefulConnectView"])
def test_a_second_include_has_no_hook_and_asks_for_no_password(
    guide, client, piggy_sandbox, settings, text
):
    guide(text, *ALONE)
    settings.ROOT_URLCONF = (LOGIN_PAGES, *settings.ROOT_URLCONF)

    connect(client, piggy_sandbox)

    assert Contact.objects.exists()


@pytest.mark.parametrize("text", ["CustomersOnly", "CarefulConnectView"])
def test_a_check_names_the_second_include(guide, settings, text):
    guide(text, *ALONE)
    assert list(check_connecting()) == []

    settings.ROOT_URLCONF = (LOGIN_PAGES, *settings.ROOT_URLCONF)

    assert [each.id for each in check_connecting()] == ["piggy_verify.W006"]


@pytest.mark.parametrize(
    "text", ["CustomersOnly", "CarefulConnectView", "ShopDisconnectView"]
)
def test_a_check_accepts_the_urls_of_the_guide(guide, text):
    guide(text)

    assert list(check_connecting()) == []


@pytest.mark.parametrize("text", ["CustomersOnly", "CarefulConnectView"])
def test_the_login_pages_are_still_there(guide, client, db, text):
    guide(text)

    assert client.get("/login/").status_code == 200


def test_the_view_of_the_guide_disconnects_who_has_a_linked_account(
    guide, member, client, monkeypatch
):
    guide("ShopDisconnectView")
    accounts = SimpleNamespace(exists=lambda: True)
    monkeypatch.setattr(User, "socialaccount_set", accounts, raising=False)

    client.post(DISCONNECT, {"contact": member.piggy_contacts.get().pk})

    assert not Contact.objects.exists()


@pytest.mark.parametrize("has_account", [True, False])
def test_a_linked_account_is_another_way_in(piggy_sandbox, db, has_account):
    user = User.objects.create_user("ann")
    accounts = SimpleNamespace(exists=lambda: has_account)
    vars(user)["socialaccount_set"] = accounts
    contact = Contact(user=user, provider="piggy", uid="1")

    view = names_with("ShopDisconnectView")["ShopDisconnectView"]()

    assert view.is_only_way_in(user, contact) is not has_account


# Ask for the password first


@pytest.fixture
def careful(guide, shopper, settings, tmp_path):
    """The pages of the guide that ask for the password."""
    names = guide("CarefulConnectView")
    template = tmp_path / "shop" / "password.html"
    template.parent.mkdir()
    template.write_text("<form method=post>{% csrf_token %}{{ form }}</form>")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    return names


def type_password(browser, page, **fields):
    return browser.post(page, {"username": "shopper", "password": PASSWORD, **fields})


def test_who_is_logged_in_types_the_password_and_comes_back(
    careful, client, contact, piggy_sandbox
):
    to_password = client.get(f"{CONNECT}?by=email")
    assert client.get(to_password.url).status_code == 200
    back = type_password(client, to_password.url)

    assert back.url == f"{CONNECT}?by=email"
    assert client.get(back.url).status_code == 200
    assert connect(client, piggy_sandbox).url == CONNECT
    assert Contact.objects.exists()


def test_without_the_password_nothing_is_sent(careful, client, contact, piggy_sandbox):
    response = ask(client)

    assert urlsplit(response.url).path == "/account/password/"
    assert parse_qs(urlsplit(response.url).query)["next"] == [CONNECT]
    assert not piggy_sandbox.mails


def test_a_wrong_password_does_not_count(careful, client):
    type_password(client, "/account/password/", password="wrong")

    assert client.get(CONNECT).status_code == 302


@pytest.mark.parametrize(("late", "status"), [(-1, 200), (0, 302)])
def test_a_password_counts_for_ten_minutes(careful, client, time_machine, late, status):
    time_machine.move_to(10**9, tick=False)
    type_password(client, "/account/password/")

    time_machine.shift(10 * 60 + late)

    assert client.get(CONNECT).status_code == status


def test_a_site_with_the_connect_pages_alone_asks_for_the_password_too(
    guide, careful, client
):
    guide("CarefulConnectView", *ALONE)

    response = client.get("/account/connect/")

    assert urlsplit(response.url).path == "/account/password/"


@pytest.fixture
def without_password(shopper, client):
    shopper.set_unusable_password()
    shopper.save()
    client.force_login(shopper)


def test_who_has_no_password_cannot_connect(careful, without_password, client):
    type_password(client, "/account/password/")

    assert client.get(CONNECT).status_code == 302


SKIPPED = (
    "            return response\n",
    """            return response
        if not self.request.user.has_usable_password():
            return None
""",
)
"""The change that lets users without a password connect."""


def test_who_has_no_password_may_be_let_through(
    guide, careful, without_password, client
):
    guide("CarefulConnectView", SKIPPED)

    assert client.get(CONNECT).status_code == 200


def test_who_has_a_password_is_still_asked(guide, careful, client):
    guide("CarefulConnectView", SKIPPED)

    assert client.get(CONNECT).status_code == 302


def test_a_password_in_another_browser_does_not_count(careful, client):
    type_password(Client(), "/account/password/")

    assert client.get(CONNECT).status_code == 302


def test_a_script_is_told_to_log_in_again(careful, client):
    response = ask(client, headers=JSON)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "login_required"


def test_a_visitor_who_is_not_logged_in_still_goes_to_the_login(careful, settings):
    settings.LOGIN_URL = "/somewhere/"

    response = Client().get(CONNECT)

    assert response["Location"] == f"/somewhere/?next={CONNECT}"


# Signals, templates and scripts


@pytest.mark.usefixtures("contact", "shopper", "unlimited")
def test_the_receiver_of_the_guide_mails_the_user_once(
    guide, client, piggy_sandbox, mailoutbox
):
    receiver = names_with("tell_user")["tell_user"]

    with receiving(contact_connected, receiver):
        connect(client, piggy_sandbox)
        connect(client, piggy_sandbox)

    [message] = mailoutbox
    assert message.to == ["shopper@example.com"]
    assert ADDRESS in message.body


def test_the_template_of_the_guide_tells_the_conflicts_apart(
    guide, member, client, settings, tmp_path
):
    [block] = [
        each
        for each in pages.blocks("connecting", of="html+django")
        if "conflict ==" in each
    ]
    template = tmp_path / re.findall(r"templates/(\S+)", block)[0]
    template.parent.mkdir()
    template.write_text(block.partition("\n")[2])
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    page = client.post(DISCONNECT, {"contact": member.piggy_contacts.get().pk})

    assert page.status_code == 409
    assert "Set a password first" in page.text


def test_a_script_of_a_user_needs_the_csrf_token(guide, shopper, db):
    browser = Client(enforce_csrf_checks=True)
    browser.login(username="shopper", password=PASSWORD)

    login = browser.post("/login/", headers=JSON)
    refused = ask(browser, headers=JSON)
    token = browser.get(CONNECT, headers=JSON).json()["csrf_token"]
    begun = ask(browser, headers={**JSON, "x-csrftoken": token})

    assert login.json().keys() == {"redirect_to"}
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "csrf_failed"
    assert begun.status_code == 202


def test_a_script_connects_and_disconnects_with_the_calls_of_the_guide(
    guide, client, shopper, contact, piggy_sandbox
):
    told = {call: row[1][:3] for call, row in cells("Call").items()}

    def post(page, **fields):
        return client.post(page, fields, "application/json", headers=JSON)

    begun = post(CONNECT, email=ADDRESS)
    code = piggy_sandbox.last_code(ADDRESS)
    done = post(CODE, code=code, recipient=ADDRESS)
    listed = client.get(CONNECT, headers=JSON)
    [row] = listed.json()["contacts"]
    gone = post(DISCONNECT, contact=row["contact"])

    assert told["GET connect/"] == str(listed.status_code)
    assert told["POST connect/"] == str(begun.status_code)
    assert told["POST connect/code/"] == str(done.status_code)
    assert told["POST connect/disconnect/"] == str(gone.status_code)
    assert done.json() == {"redirect_to": CONNECT}
    [shown] = pages.blocks("connecting", of="json")
    shown = json.loads(shown)
    assert listed.json().keys() == shown.keys()
    assert row.keys() == shown["contacts"][0].keys()
