"""Check the system checks with a provider that cannot log in."""

import pytest
from django.core.checks import run_checks
from django.urls import clear_url_caches, include, path

from django_piggy_verify import urls, urls_connect
from django_piggy_verify.checks.pages import check_connecting, check_urls
from django_piggy_verify.checks.phones import check_phones
from django_piggy_verify.checks.provider import check_credentials, check_openness
from django_piggy_verify.checks.settings import check_user_access
from django_piggy_verify.views import ConnectView
from tests.attributes import Branches, access_of_ann, page, urls_of

OURS = "django_piggy_verify.backends.PiggyBackend"
DJANGOS = "django.contrib.auth.backends.ModelBackend"
TRANSMIT = "django_piggy_verify.providers.transmit.TransmitProvider"
NO_CALLABLE = "not to be called"


@pytest.fixture(autouse=True)
def connecting(settings):
    """Correct settings for a provider that cannot log in."""
    settings.DEBUG = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.AUTHENTICATION_BACKENDS = [DJANGOS]
    settings.PIGGY_VERIFY_PROVIDER = "tests.attributes.Prover"
    settings.PIGGY_VERIFY_API_KEY = None
    settings.PIGGY_VERIFY_CONNECT = True
    settings.PIGGY_VERIFY_USER_ACCESS = access_of_ann
    route(settings, "connect")


@pytest.fixture
def branches(settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.attributes.Branches"


def route(settings, *names):
    settings.ROOT_URLCONF = urls_of(*names)
    clear_url_caches()


def found():
    """Return the ids of all messages, without the one that every test expects."""
    ids = (str(each.id) for each in run_checks(include_deployment_checks=True))
    return {each.removeprefix("piggy_verify.") for each in ids if "piggy" in each} - {
        "W005"
    }


def test_only_connecting_needs_no_key_no_backend_and_no_login_pages():
    assert found() == set()


def test_a_provider_of_links_says_that_it_needs_a_key(settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.attributes.LinkProver"

    assert found() == {"E001"}


def test_without_a_provider_the_backend_is_needed(settings):
    settings.PIGGY_VERIFY_PROVIDER = "no.such.Provider"

    assert {"E002", "E007"} <= found()


def test_an_account_that_can_log_in_needs_the_backend_and_the_login_pages(branches):
    assert found() == {"E002", "W001"}


def test_no_account_that_can_log_in_needs_neither(branches, monkeypatch):
    monkeypatch.setattr(Branches, "can_log_in", {"north": False, "south": False})

    assert found() == set()


def test_the_settings_for_client_credentials_are_named(settings):
    options = {"message": "{otp} for {app}", "email_by": "link"}
    settings.PIGGY_VERIFY_PROVIDER = TRANSMIT
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = options

    [message] = check_credentials()

    for name in ("CLIENT_ID", "CLIENT_SECRET", "TOKEN_URL"):
        assert f"PIGGY_VERIFY_{name}" in str(message.hint)


@pytest.mark.parametrize(
    ("email_by", "key", "ids"),
    [("code", None, set()), ("link", None, {"E001"}), ("link", "key", set())],
)
def test_transmit_needs_a_key_for_links_only(settings, email_by, key, ids):
    options = {"message": "{otp} for {app}", "email_by": email_by}
    settings.PIGGY_VERIFY_PROVIDER = TRANSMIT
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = options
    settings.PIGGY_VERIFY_API_KEY = key

    assert found() == ids


# The URLs


@pytest.mark.parametrize("routed", [["email"], []], ids=["login", "nothing"])
def test_missing_connect_pages_are_named(settings, routed):
    route(settings, *routed)

    [message] = check_urls()
    assert message.id == "piggy_verify.W001"
    assert message.msg == "The URLconf has no connect pages."
    assert "django_piggy_verify.urls_connect" in str(message.hint)


def test_each_kind_of_account_needs_its_pages(settings, branches):
    route(settings)

    assert [each.msg for each in check_urls()] == [
        "The URLconf has no login pages.",
        "The URLconf has no connect pages.",
    ]


def test_login_pages_that_return_404_are_named(settings):
    route(settings, "connect", "email")

    [message] = check_connecting()
    assert message.id == "piggy_verify.W006"
    assert "the URLconf has the login pages" in message.msg
    assert found() == {"W006"}


def test_connect_pages_that_return_404_are_named(settings):
    settings.PIGGY_VERIFY_CONNECT = False

    [message] = check_connecting()
    assert message.id == "piggy_verify.W006"
    assert "PIGGY_VERIFY_CONNECT is off" in message.msg
    assert message.obj is None


def test_login_pages_are_sound_where_an_account_can_log_in(settings, branches):
    route(settings, "connect", "email")

    assert list(check_connecting()) == []


def test_the_account_that_needs_the_connect_pages_is_named(settings, branches):
    settings.PIGGY_VERIFY_CONNECT = False

    assert [each.obj for each in check_connecting()] == ["north"]


def test_a_provider_that_can_log_in_needs_no_connect_pages(settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.checks.test_checks.Toy"
    settings.PIGGY_VERIFY_CONNECT = False
    route(settings, "email")

    assert list(check_connecting()) == list(check_urls()) == []


def test_no_redirect_loop_is_named_where_the_login_pages_return_404(settings):
    settings.ROOT_URLCONF = "tests.urls"
    settings.LOGIN_REDIRECT_URL = "/login/"
    clear_url_caches()

    assert "W007" not in found()


def test_axes_needs_no_names_where_nobody_logs_in_by_code(settings):
    del settings.AXES_USERNAME_CALLABLE

    assert found() == set()


# With a provider that can log in


@pytest.fixture
def toy(settings):
    """A provider that can log in."""
    settings.PIGGY_VERIFY_PROVIDER = "tests.checks.test_checks.Toy"
    settings.AUTHENTICATION_BACKENDS = [OURS, DJANGOS]


def include_all(settings, *pages):
    settings.ROOT_URLCONF = pages
    clear_url_caches()


def test_a_project_may_use_the_connect_pages_only(settings, toy):
    include_all(settings, path("account/", include(urls_connect)))

    assert found() == set()


def test_connect_pages_alone_that_are_switched_off_are_named(settings, toy):
    settings.PIGGY_VERIFY_CONNECT = False
    include_all(settings, path("account/", include(urls_connect)))

    [message] = check_urls()
    assert message.msg == "The URLconf has no login pages."
    assert "set PIGGY_VERIFY_CONNECT = True" in str(message.hint)
    assert found() == {"W001"}


def test_connect_pages_beside_login_pages_may_be_switched_off(settings, toy):
    settings.PIGGY_VERIFY_CONNECT = False
    include_all(settings, path("login/", include(urls)))

    assert found() == set()


@pytest.mark.parametrize("is_on", [True, False])
def test_login_pages_in_a_second_include_are_not_called_missing(settings, toy, is_on):
    settings.PIGGY_VERIFY_CONNECT = is_on
    pages = path("account/", include(urls_connect)), path("login/", include(urls))
    include_all(settings, *pages)

    [message] = check_urls()
    assert message.id == "piggy_verify.W001"
    assert message.msg == "Django does not find the login pages in the URLconf."
    assert "one include" in str(message.hint)
    assert list(check_connecting()) == []


def test_pages_within_another_namespace_are_called_missing(settings, toy):
    inner = ([path("login/", include(urls))], "shop")
    include_all(settings, path("shop/", include(inner)))

    [message] = check_urls()
    assert message.msg == "The URLconf has no login pages."


class CarefulView(ConnectView):
    def can_connect(self, user):
        return False


OWN = path("connect/", CarefulView.as_view(), name="connect")
APART = path("account/", include(([OWN], "piggy_verify")))
UNGUARDED = {
    "own include last": (path("login/", include(urls)), APART),
    "own include first": (APART, path("login/", include(urls))),
    "another route": (
        path(
            "login/",
            include(
                ([path("own/", include([OWN])), *urls.urlpatterns], "piggy_verify")
            ),
        ),
    ),
}


@pytest.mark.parametrize("pages", UNGUARDED.values(), ids=UNGUARDED)
def test_a_page_that_stays_beside_the_one_of_the_project_is_named(settings, toy, pages):
    include_all(settings, *pages)

    [message] = check_connecting()
    assert message.id == "piggy_verify.W006"
    assert message.msg == "The URLconf has different views for one page: connect."

    settings.PIGGY_VERIFY_CONNECT = False
    assert list(check_connecting()) == []


def test_a_page_that_the_one_of_the_project_hides_is_not_named(settings, toy):
    include_all(
        settings, path("login/", include(([OWN, *urls.urlpatterns], "piggy_verify")))
    )

    assert found() == set()


def test_pages_of_other_apps_are_not_mixed_up_with_ours(settings, toy):
    other = path("connect/", page, name="connect")
    include_all(
        settings,
        other,
        path("login/", include(urls)),
        path("shop/", include(([other], "shop"))),
        path("more/", include([other])),
    )

    assert found() == set()


def test_the_same_views_at_two_places_are_sound(settings, toy):
    include_all(settings, path("login/", include(urls)), path("me/", include(urls)))

    assert found() == set()


# The settings


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        (None, "it is missing"),
        ("no.such.callable", "there is no module 'no'"),
        ("tests.no_such.callable", "there is no module 'tests.no_such'"),
        ("tests.attributes.no_such", "the module 'tests.attributes' has no 'no_such'"),
        (f"{__name__}.NO_CALLABLE", "TypeError"),
        ("", "it is no dotted path"),
        ("callable", "it is no dotted path"),
        (5, "TypeError"),
    ],
)
def test_an_access_that_nobody_can_be_asked_for_is_named(settings, named, reason):
    settings.PIGGY_VERIFY_USER_ACCESS = named

    [message] = check_user_access()
    assert message.id == "piggy_verify.E016"
    assert message.msg == f"PIGGY_VERIFY_USER_ACCESS cannot be used: {reason}."
    assert found() == {"E016"}


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Return a function that makes a module, whose text is given."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(text):
        (tmp_path / "broken.py").write_text(text)
        return "broken.callable"

    return make


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import a_secret", "ModuleNotFoundError"),
        ("from tests.attributes import a_secret", "ImportError"),
        ("raise ImportError('a_secret')", "ImportError"),
        ("raise KeyError('a_secret')", "KeyError"),
    ],
)
def test_an_error_inside_the_module_is_named_by_its_type(
    settings, broken, text, reason
):
    settings.PIGGY_VERIFY_USER_ACCESS = broken(text)

    [message] = check_user_access()
    assert message.msg == f"PIGGY_VERIFY_USER_ACCESS cannot be used: {reason}."


def test_a_dotted_path_names_the_callable(settings):
    settings.PIGGY_VERIFY_USER_ACCESS = "tests.attributes.access_of_ann"

    assert found() == set()


def test_the_access_is_asked_for_where_one_account_wants_it(settings, branches):
    settings.PIGGY_VERIFY_USER_ACCESS = None

    assert [each.id for each in check_user_access()] == ["piggy_verify.E016"]


def test_other_providers_need_no_access(settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.checks.test_checks.Toy"
    settings.PIGGY_VERIFY_USER_ACCESS = None

    assert list(check_user_access()) == []


def test_connect_must_be_a_boolean(settings):
    settings.PIGGY_VERIFY_CONNECT = "False"

    assert found() == {"E011"}


def test_links_reach_addresses(settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.attributes.LinkProver"

    assert list(check_phones()) == []


def test_codes_for_strangers_are_no_way_to_log_in_here():
    [message] = check_openness()

    assert message.id == "piggy_verify.W005"
    assert message.msg == "The provider sends codes to anybody."
    assert "log in," not in str(message.hint)
    assert "users who are logged in can have codes sent to strangers" in str(
        message.hint
    )
    assert "PIGGY_VERIFY_RATE_LIMITS" in str(message.hint)
