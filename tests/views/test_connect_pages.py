"""The connect pages show the right words, and work in every project."""

import re
from datetime import UTC, datetime

import pytest
from django.urls import include, path

from django_piggy_verify.exceptions import CodeRejected
from django_piggy_verify.models import Consent, Contact
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.testing import login_contact
from django_piggy_verify.views import ConnectView
from tests.connecting.steps import CODE, CONNECT, DISCONNECT, LINK, ask, type_code
from tests.consenting import CONSENTS
from tests.every_connect_page import every_connect_page
from tests.steps import ADDRESS, JSON, NUMBER

BUTTON = re.compile(r'<button[^>]* aria-labelledby="([^"]+)">Disconnect</button>')
OF_LOGIN = re.compile(r"log(ging)? (you )?in", re.IGNORECASE)
OF_CODES = re.compile(r"\bcodes?\b", re.IGNORECASE)
TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


urlpatterns = [path("account/", include("django_piggy_verify.urls_connect"))]


@pytest.fixture(autouse=True)
def _connect_is_on(settings):
    settings.PIGGY_VERIFY_CONNECT = True


@pytest.fixture
def shopper(client, django_user_model):
    found = django_user_model.objects.create_user("shopper", password="secret-words")
    client.force_login(found, "django.contrib.auth.backends.ModelBackend")
    return found


@pytest.fixture
def pages(client, db, piggy_sandbox):
    """All pages, with the name of the template before each."""
    seen = every_connect_page(client, piggy_sandbox)
    return [(each.templates[0].name.partition("/")[2], each) for each in seen]


def words(page):
    return re.sub(r"<[^>]*>", " ", page.text)


def test_no_page_speaks_of_a_login_in_progress(pages):
    """Two pages do: one asks for a login, and one keeps the only way to log in."""
    speaking = {
        page.context.get("conflict") or name
        for name, page in pages
        if OF_LOGIN.search(words(page))
    }

    assert speaking == {"login_required.html", "only_way_in"}


def test_no_page_about_a_link_speaks_of_a_code(pages):
    about_links = [
        (name, page)
        for name, page in pages
        if name == "connect_link.html" or page.context.get("channel") == "link"
    ]

    assert {name for name, _page in about_links} == {
        "connect.html",
        "connect_limited.html",
        "connect_link.html",
    }
    speaking = [name for name, page in about_links if OF_CODES.search(words(page))]
    assert speaking == []


@pytest.mark.usefixtures("shopper")
def test_the_page_about_a_link_that_was_not_sent_speaks_of_no_code(
    client, sandbox_for, settings
):
    sandbox = sandbox_for("transmit")
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS |= {"email_by": "link"}
    sandbox.switches.fault = Fault.MAINTENANCE
    ask(client)

    page = client.post(LINK)

    assert page.status_code == 503
    assert "<h1>We could not send a link</h1>" in page.text
    assert not OF_CODES.search(words(page))


def test_every_page_has_a_title_of_its_own(pages):
    titles = {TITLE.findall(page.text)[0].strip() for _name, page in pages}

    assert "Log in" not in titles
    assert all(titles)


def test_the_list_says_what_is_connected_and_since_when(client, shopper):
    contact = add_contact(shopper, email=ADDRESS, phone=NUMBER)

    page = client.get(CONNECT).text

    assert f'<bdi dir="ltr">{ADDRESS}</bdi>' in page
    assert f'<bdi dir="ltr">{NUMBER}</bdi>' in page
    assert '<time datetime="2026-02-03">Feb. 3, 2026</time>' in page
    assert f'name="contact" value="{contact.pk}"' in page


def add_contact(user, **values):
    day = datetime(2026, 2, 3, 12, tzinfo=UTC)
    return Contact.objects.create(
        user=user, provider="piggy", uid="u", created_at=day, verified_at=day, **values
    )


@pytest.fixture
def connected(shopper):
    """A contact of the shopper."""
    return add_contact(shopper, email=ADDRESS)


@pytest.mark.usefixtures("texts", "connected")
@pytest.mark.parametrize(
    ("vendor", "query", "heading"),
    [
        ("piggy", "", "Use another address"),
        ("punchh", "?by=phone", "Use another number"),
        ("transmit", "", "Prove another address"),
        ("transmit", "?by=phone", "Prove another number"),
    ],
)
def test_the_list_promises_no_second_contact(
    client, sandbox_for, vendor, query, heading
):
    sandbox_for(vendor)

    page = client.get(f"{CONNECT}{query}").text

    assert f"<h2>{heading}</h2>" in page


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize(("vendor", "is_told"), [("piggy", True), ("transmit", False)])
def test_the_list_says_what_disconnecting_does_to_a_login(
    client, sandbox_for, vendor, is_told
):
    sandbox_for(vendor)

    page = client.get(CONNECT).text

    assert ("After you disconnect, a login" in page) is is_told


@pytest.mark.usefixtures("shopper")
def test_without_a_contact_nothing_is_said_about_disconnecting(client):
    assert "disconnect" not in words(client.get(CONNECT))


def test_the_page_about_the_only_way_in_has_a_next_step(client, only_by_code):
    contact = Contact.objects.get()

    page = client.post(DISCONNECT, {"contact": contact.pk})
    script = client.post(DISCONNECT, {"contact": contact.pk}, headers=JSON)

    step = "Set a password first, or ask the shop for help."
    assert step in page.text
    assert step in script.json()["error"]["message"]
    assert f'href="{CONNECT}">Back to your connections</a>' in page.text


@pytest.fixture
def only_by_code(client, db):
    """A user without a password, logged in by code."""
    return login_contact(client)


@pytest.mark.usefixtures("shopper")
@pytest.mark.parametrize("contact", [{}, {"contact": "9"}], ids=["none", "unknown"])
def test_a_script_is_told_that_there_is_no_such_contact(client, contact):
    error = client.post(DISCONNECT, contact, headers=JSON).json()["error"]

    assert error["code"] == "not_found"
    assert error["message"] == "There is no such contact."


def test_a_script_is_told_that_there_is_no_such_page(client, shopper, settings):
    settings.PIGGY_VERIFY_CONNECT = False

    error = client.post(DISCONNECT, headers=JSON).json()["error"]

    assert error["message"] == "There is no such page."


@pytest.mark.usefixtures("shopper")
def test_the_page_about_a_link_fits_before_and_after_it_was_followed(client, send_by):
    send_by("link")

    page = client.get(LINK).text

    assert "<h1>Have you followed the link?</h1>" in page
    assert "go on in the browser in which you asked for it" in page


def test_each_button_names_the_contact_that_it_disconnects(client, shopper):
    add_contact(shopper, email=ADDRESS)

    page = client.get(CONNECT).text

    own, contact = BUTTON.findall(page)[0].split()
    assert re.search(rf'<button[^>]* id="{own}"', page)
    assert re.search(rf'id="{contact}"><div><bdi dir="ltr">{ADDRESS}<', page)


def test_the_key_of_a_contact_has_no_thousand_separator(client, shopper, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    contact = add_contact(shopper, email=ADDRESS, pk=1234567)

    page = client.get(CONNECT).text

    assert f'name="contact" value="{contact.pk}"' in page


def test_scripts_get_the_contacts_and_a_csrf_token(client, shopper):
    contact = add_contact(shopper, phone=NUMBER)

    answer = client.get(CONNECT, headers=JSON).json()

    assert answer["contacts"] == [
        {"contact": contact.pk, "provider": "piggy", "email": "", "phone": NUMBER}
    ]
    assert len(answer["csrf_token"]) == 64
    assert answer.keys() == {"contacts", "csrf_token"}


@pytest.mark.parametrize("next_url", ["", "/members/?page=2"])
def test_a_user_who_may_not_connect_can_go_on(client, shopper, next_url):
    shopper.is_staff = True
    shopper.save()

    page = client.get(CONNECT, {"next": next_url})

    target = next_url or "/members/"
    assert page.status_code == 403
    assert "<h1>You cannot connect anything to this account</h1>" in page.text
    assert f'href="{target}">Go on without connecting</a>' in page.text


@pytest.mark.parametrize("next_url", ["//evil.example/", "https://evil.example/"])
def test_a_user_who_may_not_connect_does_not_leave_the_site(client, shopper, next_url):
    shopper.is_staff = True
    shopper.save()

    page = client.get(CONNECT, {"next": next_url})

    assert "evil.example" not in page.text


@pytest.fixture
def texts(settings):
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL"]


@pytest.mark.usefixtures("shopper", "texts")
@pytest.mark.parametrize(
    ("vendor", "query", "title"),
    [
        ("piggy", "", "Connect your membership"),
        ("transmit", "", "Connect your email address"),
        ("transmit", "?by=phone", "Connect your mobile number"),
        ("piggy", "?by=phone", "Connect your membership"),
    ],
)
def test_the_first_page_says_what_is_connected(
    client, sandbox_for, vendor, query, title
):
    sandbox_for(vendor)

    page = client.get(f"{CONNECT}{query}").text

    assert f"<h1>{title}</h1>" in page


@pytest.fixture
def send_by(sandbox_for, settings):
    """Return a function that chooses what Transmit mails: a code or a link."""
    sandbox_for("transmit")

    def choose(what):
        settings.PIGGY_VERIFY_PROVIDER_OPTIONS |= {"email_by": what}

    return choose


@pytest.mark.usefixtures("shopper", "texts")
@pytest.mark.parametrize(
    ("email_by", "recipient", "channel"),
    [("code", ADDRESS, "email"), ("code", NUMBER, "sms"), ("link", ADDRESS, "link")],
)
def test_scripts_are_told_the_channel(client, send_by, email_by, recipient, channel):
    send_by(email_by)
    field = "email" if "@" in recipient else "phone"
    asked = client.post(CONNECT, {field: recipient}, headers=JSON)

    read = client.get(CODE, headers=JSON)

    assert asked.json()["channel"] == read.json()["channel"] == channel


def test_the_page_asks_for_consents_and_keeps_them(client, shopper, sandbox_for):
    sandbox = sandbox_for("punchh")

    missing = client.post(CONNECT, {"email": ADDRESS})
    client.post(CONNECT, {"email": ADDRESS, **CONSENTS})
    type_code(client, sandbox.last_code(ADDRESS))

    assert missing.text.count("There is a problem") == 1
    assert shopper.piggy_contacts.get().email == ADDRESS
    assert set(Consent.objects.values_list("kind", flat=True)) == {"terms", "privacy"}


def test_the_connect_pages_can_be_routed_alone(
    client, shopper, contact, piggy_sandbox, settings
):
    settings.ROOT_URLCONF = __name__

    page = client.get("/account/connect/")
    asked = client.post("/account/connect/", {"email": ADDRESS})
    code = piggy_sandbox.last_code(ADDRESS)
    done = client.post(asked.url, {"code": code})

    assert 'action="/account/connect/"' in page.text
    assert asked.url == "/account/connect/code/"
    assert done.url == "/account/connect/"


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, JSON], ids=["HTML", "JSON"])
@pytest.mark.parametrize("url", ["/login/", "/login/code/", "/login/token/"])
def test_with_a_provider_that_only_proves_there_are_no_login_pages(
    client, sandbox_for, settings, url, headers
):
    settings.PIGGY_VERIFY_EXPOSE_AUTH_TOKEN = True
    sandbox_for("transmit")

    assert client.get(url, headers=headers).status_code == 404


@pytest.mark.parametrize("url", [CONNECT, CODE, LINK])
def test_without_the_setting_there_is_nothing_for_any_method(
    client, shopper, settings, url
):
    settings.PIGGY_VERIFY_CONNECT = False

    answers = [client.get(url), client.head(url), client.options(url)]

    assert [each.status_code for each in answers] == [404, 404, 404]


def test_after_another_code_the_page_says_so(client, shopper, contact, unlimited):
    ask(client)

    resent = client.post(f"{CODE}resend/", follow=True)

    assert "a new code is on its way" in resent.text


def test_an_error_that_no_page_is_for_is_raised(rf, shopper):
    class Broken(ConnectView):
        def get(self, request):
            raise CodeRejected

    request = rf.get(CONNECT)
    request.user = shopper

    with pytest.raises(CodeRejected):
        Broken.as_view()(request)
