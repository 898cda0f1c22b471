"""Check that the page of each vendor agrees with its provider."""

import ast
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from django_piggy_verify import checks
from django_piggy_verify.checks.provider import check_openness
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import piggy, punchh, transmit, verifik
from django_piggy_verify.sandbox import sandbox as sandbox_of_the_page
from tests.connecting import links
from tests.documentation import pages
from tests.steps import NUMBER, ask_for_code, calls, is_logged_in, log_in, type_code

NUMBERS = {
    value
    for name, value in vars(piggy).items()
    if name.isupper() and isinstance(value, int) and not name.startswith("_")
}
OF_PIGGY = {"piggy.rst", "testing.rst"}
"""The page of Piggy, and the one that shows a switch of its sandbox."""


def guide(name):
    return (pages.DOCS / "howto" / f"{name}.rst").read_text()


def test_the_page_of_piggy_lists_its_error_numbers():
    listed = pages.table([pages.parsed(pages.DOCS / "howto/piggy.rst")], "Number")

    assert {int(number) for number in listed} == NUMBERS


@pytest.mark.parametrize("path", pages.paths(), ids=lambda path: path.name)
def test_only_the_page_of_piggy_has_its_error_numbers(path):
    # A number after a colon is a port, such as that of localhost:3000.
    found = {int(each) for each in re.findall(r"(?<!:)\b\d{4,5}\b", path.read_text())}

    assert not found & NUMBERS or path.name in OF_PIGGY


def test_the_page_of_piggy_names_its_url():
    assert f"``{piggy.PiggyProvider.base_url}``" in guide("piggy")


@pytest.mark.parametrize("name", ["verifik", "punchh", "transmit"])
def test_the_page_of_a_vendor_lists_its_options(name):
    vendor = {"verifik": verifik, "punchh": punchh, "transmit": transmit}[name]
    page = [pages.parsed(pages.DOCS / f"howto/{name}.rst")]
    listed = {name: row[0] for name, row in pages.table(page, "Option").items()}

    defaults = {name: each.default for name, each in vendor._OPTIONS.items()}
    required = {
        name
        for name, each in vendor._OPTIONS.items()
        if each.default is None and not each.accepts(None)
    }
    assert {name for name, said in listed.items() if said == "required"} == required
    assert {
        name: ast.literal_eval(said)
        for name, said in listed.items()
        if said != "required"
    } == {name: defaults[name] for name in defaults.keys() - required}


@pytest.mark.parametrize("word", verifik._REJECTIONS)
def test_the_page_of_verifik_lists_the_words_for_a_wrong_code(word):
    assert f"``{word}``" in guide("verifik")


@pytest.mark.parametrize("path", pages.paths(), ids=lambda path: path.name)
def test_only_the_page_of_verifik_has_its_words_for_a_wrong_code(path):
    found = [word for word in verifik._REJECTIONS if word in path.read_text()]

    assert found == [] or path.name == "verifik.rst"


@pytest.fixture
def changed(client, contact, piggy_sandbox, sandbox_for, unlimited):
    """The sandbox of Verifik, after a member has logged in with Piggy."""
    log_in(client, piggy_sandbox)
    return sandbox_for("verifik")


def test_after_a_change_of_the_vendor_a_person_is_a_new_user(changed):
    log_in(Client(), changed)

    assert User.objects.count() == 2


def test_after_a_change_of_the_vendor_the_address_can_find_the_user(changed, settings):
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True

    log_in(Client(), changed)

    contacts = User.objects.get().piggy_contacts
    assert set(contacts.values_list("provider", flat=True)) == {"piggy", "verifik"}


def test_who_has_no_user_gets_a_code_but_may_not_log_in(
    client, db, sandbox_for, settings
):
    settings.PIGGY_VERIFY_CREATE_USERS = False
    sandbox = sandbox_for("verifik")

    response = log_in(client, sandbox)

    assert response.status_code == 403
    assert len(sandbox.mails) == 1
    assert [each.id for each in check_openness()] == ["piggy_verify.W005"]


# Punchh

CONSENTS = {"consent_terms": "on", "consent_privacy": "on"}
BOB = "bob@example.com"


@pytest.mark.parametrize("word", [*punchh._REFUSALS, *punchh._NO_RECIPIENT])
def test_the_page_of_punchh_lists_its_words_for_errors(word):
    assert f"``{word}``" in guide("punchh")


@pytest.fixture
def from_the_page(settings, monkeypatch):
    """Use the settings of the page of Punchh, and no others of a provider."""
    for name in {*dir(settings)}:
        if name.startswith("PIGGY_VERIFY_"):
            delattr(settings, name)
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"PIGGY_VERIFY_{name}", "sandbox")
    [block] = [each for each in pages.blocks("punchh") if "PunchhProvider" in each]
    found = pages.run(block)
    for name in found:
        if name.startswith("PIGGY_VERIFY_"):
            setattr(settings, name, found[name])


@pytest.fixture
def sandbox(sandbox_for, settings, request, db):
    """The sandbox of Punchh, with the settings of the page."""
    sandbox = sandbox_for("punchh")
    url = settings.PIGGY_VERIFY_BASE_URL
    request.getfixturevalue("from_the_page")
    settings.PIGGY_VERIFY_BASE_URL = url
    settings.PIGGY_VERIFY_SEND_FLOOR = 0
    return sandbox


@pytest.fixture
def visitor():
    return Client(headers={"x-forwarded-for": "203.0.113.7"})


def test_the_settings_of_punchh_leave_one_decision(from_the_page, settings):
    settings.ROOT_URLCONF = "tests.public_urls"

    found = checks.run(checks.ALWAYS)

    assert [each.id for each in found] == ["piggy_verify.W005"]


def test_a_person_logs_in_with_the_settings_of_punchh(sandbox, visitor):
    log_in(visitor, sandbox, **CONSENTS)

    assert is_logged_in(visitor)


def test_punchh_learns_what_its_page_says_and_no_more(sandbox, visitor):
    log_in(visitor, sandbox, **CONSENTS)

    sent = {name: each.headers for each in sandbox.calls for name in [each.name]}
    usual = {"accept", "content-length", "content-type", "host", "user-agent"}
    usual |= {"connection", "x_true_client_ip"}
    assert set(sent["send"]) - usual == {"punchh-app-device-id"}
    assert set(sent["verify"]) - usual == {"punchh-app-device-id", "client-type"}
    assert set(sent["profile"]) - usual == {"authorization", "x-pch-digest"}
    assert {each["x_true_client_ip"] for each in sent.values()} == {"203.0.113.7"}


def test_the_client_address_can_be_switched_off(sandbox, visitor, settings):
    [options] = re.findall(r"PROVIDER_OPTIONS = (\{.*\})``", guide("punchh"))
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = ast.literal_eval(options)

    log_in(visitor, sandbox, **CONSENTS)

    assert is_logged_in(visitor)
    assert not any("203.0.113.7" in str(each.headers) for each in sandbox.calls)


def test_nine_wrong_codes_of_an_address_reach_punchh_and_no_tenth(sandbox, visitor):
    for address in ("ann@example.com", BOB):
        ask_for_code(visitor, address, **CONSENTS)
        for number in range(5):
            page = type_code(visitor, f"wrong-{number}")

    assert page.status_code == 429
    assert calls(sandbox).count("verify") == 9


def test_who_has_no_user_gets_a_code_of_punchh_but_may_not_log_in(
    sandbox, visitor, settings
):
    settings.PIGGY_VERIFY_CREATE_USERS = False

    response = log_in(visitor, sandbox, **CONSENTS)

    assert response.status_code == 403
    assert len(sandbox.mails) == 1


def test_a_merged_account_keeps_its_user(sandbox, visitor, settings, monkeypatch):
    [block] = [each for each in pages.blocks("punchh") if "MergingBackend" in each]
    found = pages.run(block)
    monkeypatch.setattr(f"{__name__}.Merging", found["MergingBackend"], raising=False)
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Merging"]
    log_in(visitor, sandbox, **CONSENTS)
    found["MERGED"][Contact.objects.get().uid] = "gone"
    Contact.objects.update(uid="gone")
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "9/1s"}

    log_in(Client(), sandbox, **CONSENTS)

    assert User.objects.count() == 1
    assert Contact.objects.get().uid in found["MERGED"]


# Transmit


@pytest.fixture
def own_project(live_server, settings, modules, shopper):
    """A project without an account, with the blocks of the page of Transmit."""
    modules("transmit")
    first, *_, mine, _access, urls = pages.blocks("transmit")
    mine = mine.replace("http://127.0.0.1:8000", live_server.url)
    for name, value in (pages.run(first) | pages.run(mine)).items():
        if name.isupper():
            setattr(settings, name, value)
    settings.ROOT_URLCONF = tuple(pages.run(urls)["urlpatterns"])
    settings.PIGGY_VERIFY_API_KEY = ""
    yield sandbox_of_the_page
    sandbox_of_the_page.reset()


@pytest.fixture
def shopper(client, transactional_db):
    user = User.objects.create_user("shopper")
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return user


def contact_of(user):
    return {
        "email": BOB,
        "provider": "transmit",
        "uid": f"shop-user-{user.pk}",
    }.items() <= vars(user.piggy_contacts.get()).items()


def test_a_project_without_an_account_connects_by_code(own_project, client, shopper):
    client.post("/connect/", {"email": BOB})
    code = own_project.last_code(BOB)

    assert code in client.get("/sandbox/").text
    client.post("/connect/code/", {"code": code})

    assert contact_of(shopper)


def test_a_project_without_an_account_connects_by_link(
    own_project, client, shopper, settings
):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS["email_by"] = "link"

    client.post("/connect/", {"email": BOB})
    links.follow(own_project, BOB)
    client.post("/connect/link/")

    assert contact_of(shopper)


def test_what_is_disconnected_stays_in_the_profile_at_transmit(
    own_project, client, shopper
):
    client.post("/connect/", {"email": BOB})
    client.post("/connect/code/", {"code": own_project.last_code(BOB)})
    contact = shopper.piggy_contacts.get()

    client.post("/connect/disconnect/", {"contact": contact.pk})

    assert not shopper.piggy_contacts.exists()
    assert own_project.users.with_verified(BOB).uid == contact.uid


def test_the_settings_of_transmit_silence_its_only_warning(own_project):
    found = checks.run(checks.ALWAYS)

    assert [each.id for each in found if not each.is_silenced()] == []
    assert "piggy_verify.W005" in {each.id for each in found}


@pytest.fixture
def connecting(sandbox_for, settings, monkeypatch, member):
    """The sandbox of Transmit with the settings of its page. A member is logged in."""
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"PIGGY_VERIFY_{name}", "sandbox")
    sandbox = sandbox_for("transmit")
    [block] = [each for each in pages.blocks("transmit") if '"email_by"' in each]
    for name, value in pages.run(block).items():
        if name.startswith("PIGGY_VERIFY_"):
            setattr(settings, name, value)
    settings.PIGGY_VERIFY_TOKEN_URL = f"{settings.PIGGY_VERIFY_BASE_URL}/oidc/token"
    sandbox.client_id = sandbox.client_secret = "sandbox"
    del settings.PIGGY_VERIFY_API_KEY
    return sandbox


def test_a_followed_link_connects_with_the_settings_of_transmit(connecting, client):
    client.post("/login/connect/", {"email": BOB})
    links.follow(connecting, BOB)

    response = links.go_on(client)

    assert response.url == "/login/connect/"
    assert Contact.objects.filter(provider="transmit", email=BOB).exists()


def test_a_forged_host_does_not_change_where_a_link_leads(connecting, client, settings):
    settings.ALLOWED_HOSTS = ["*"]

    client.post("/login/connect/", {"email": BOB}, headers={"host": "evil.example"})

    [mail] = connecting.mails
    assert mail.request["redirect_uri"] == "https://shop.example.com/connect/link/"


def test_transmit_sends_the_text_message_of_its_page(sandbox_for, client, member):
    sandbox = sandbox_for("transmit")

    client.post("/login/connect/", {"phone": NUMBER})

    [mail] = sandbox.mails
    message = pages.run(pages.blocks("transmit")[0])["PIGGY_VERIFY_PROVIDER_OPTIONS"]
    assert mail.request["custom_message"] == message["message"]
