import sys

import pytest
from hypothesis import settings

from django_piggy_verify.providers import credentials
from django_piggy_verify.testing import login_contact
from tests.steps import ADDRESS, UNLIMITED, ask_for_code, log_in

pytest_plugins = ["django_piggy_verify.testing"]

# Hypothesis tries other examples in each run, so that many runs find more. Examples
# have no deadline, since a deadline fails on a busy machine. Where CI is set, the
# profile "ci" of Hypothesis tries the same examples each time. A failure is then due
# to a change or to the environment.
settings.register_profile("default", deadline=None)
# Over night: pytest --hypothesis-profile=long tests/state_machine/test_machine.py
settings.register_profile("long", deadline=None, max_examples=5000)


def stay_at_home(event, args):
    """Fail a test that connects to another machine. No `except` can catch this."""
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
        if host not in {"localhost", "::1"} and not host.startswith("127."):
            pytest.fail(f"a test speaks to {host}")


sys.addaudithook(stay_at_home)


@pytest.fixture(autouse=True)
def without_grants():
    """Forget the tokens that another test got from the sandbox by a grant."""
    credentials._begin()


@pytest.fixture
def contact(piggy_sandbox, db):
    return piggy_sandbox.add_contact(ADDRESS)


@pytest.fixture
def code(client, contact, piggy_sandbox):
    """The code that was mailed for the login in progress of `client`."""
    ask_for_code(client)
    return piggy_sandbox.last_code(ADDRESS)


@pytest.fixture
def user(client, contact, piggy_sandbox, django_user_model):
    """The user of a contact who has logged in with `client`."""
    log_in(client, piggy_sandbox)
    return django_user_model.objects.get(piggy_contacts__uid=contact.uid)


@pytest.fixture
def member(client, contact):
    """As `user`, but logged in without visiting the pages."""
    token = f"token of {contact.uid}"
    return login_contact(client, contact.email, uid=contact.uid, auth_token=token)


@pytest.fixture
def unlimited(settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = dict(UNLIMITED)
