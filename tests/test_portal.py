import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured

from django_piggy_verify.exceptions import (
    ContactUnknown,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.models import AuthToken
from django_piggy_verify.portal import aget_portal_url, get_portal_url
from django_piggy_verify.sandbox import Fault
from tests.http.hostile import reply, serving
from tests.steps import calls, portal_visitor

pytestmark = pytest.mark.usefixtures("unlimited")


def test_the_link_lets_the_contact_of_the_user_in(user, contact, piggy_sandbox):
    url = get_portal_url(user)

    assert url.startswith("https://portal.invalid/home?token=")
    assert portal_visitor(piggy_sandbox, url) == contact


def test_the_link_is_a_plain_string(user):
    assert type(get_portal_url(user)) is str


def test_each_call_fetches_another_link(user, piggy_sandbox, django_assert_num_queries):
    with django_assert_num_queries(2):
        links = {get_portal_url(user), get_portal_url(user)}

    assert len(links) == 2
    assert calls(piggy_sandbox).count("portal") == 2


def test_the_link_can_be_awaited(user, contact, piggy_sandbox):
    url = async_to_sync(aget_portal_url)(user)

    assert portal_visitor(piggy_sandbox, url) == contact


def test_a_user_who_is_no_contact_has_no_link(db, piggy_sandbox):
    for stranger in (User.objects.create_user("bob"), AnonymousUser()):
        with pytest.raises(ContactUnknown):
            get_portal_url(stranger)

    assert calls(piggy_sandbox) == []


def test_a_contact_of_another_account_has_no_link(user, settings):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"name": "second-shop"}

    with pytest.raises(ContactUnknown):
        get_portal_url(user)


def test_a_contact_that_the_replica_lacks_has_a_link(user, settings):
    settings.DATABASE_ROUTERS = ["tests.db.routers.ReadsFromReplica"]

    assert get_portal_url(user)


class Plain:
    """A provider without a portal."""

    name = "plain"


def test_a_provider_may_have_no_portal(user, settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.test_portal.Plain"

    with pytest.raises(ImproperlyConfigured, match="Plain has no portal"):
        get_portal_url(user)


def test_a_provider_that_cannot_log_in_has_no_portal(admin_user, settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.attributes.Prover"

    with pytest.raises(ImproperlyConfigured, match="Prover has no portal"):
        get_portal_url(admin_user)


@pytest.mark.parametrize(
    ("code", "error", "is_kept"),
    [
        (55031, ContactUnknown, False),
        (1053, ProviderRefused, False),
        (3000, ProviderRefused, False),
        (1003, ProviderRefused, True),
        (55032, ProviderRefused, True),
        (9999, ProviderUnavailable, True),
    ],
)
def test_some_refusals_drop_the_auth_token(user, settings, code, error, is_kept):
    with serving(settings) as upstream:
        upstream.answers["portal"] = reply({"code": code}, 400)

        with pytest.raises(error):
            get_portal_url(user)

    assert AuthToken.objects.exists() is is_kept


@pytest.mark.parametrize(
    ("fault", "level"), [(Fault.OUTAGE, "WARNING"), (Fault.UNAUTHORIZED, "ERROR")]
)
def test_a_failure_is_logged_at_the_level_of_who_must_act(
    user, piggy_sandbox, caplog, fault, level
):
    piggy_sandbox.switches.fault = fault

    with pytest.raises((ProviderUnavailable, ProviderRefused)):
        get_portal_url(user)

    [record] = [each for each in caplog.records if "portal failed" in each.message]
    assert record.levelname == level


def test_a_failure_of_the_portal_is_not_remembered(user, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.OUTAGE
    with pytest.raises(ProviderUnavailable):
        get_portal_url(user)
    piggy_sandbox.switches.fault = None

    assert get_portal_url(user)
