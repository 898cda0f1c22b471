"""Fixtures with a vendor whose tokens are renewed."""

import pytest
from django.contrib.auth.models import User

from tests.auth_tokens import renewing
from tests.steps import ask_for_code, is_logged_in, type_code


@pytest.fixture
def vendor(settings):
    """The vendor that the settings point to."""
    settings.DEBUG = True
    settings.PIGGY_VERIFY_PROVIDER = renewing.PROVIDER
    with renewing.serving() as vendor:
        settings.PIGGY_VERIFY_BASE_URL = vendor.url
        yield vendor


@pytest.fixture
def log_in(client, vendor, unlimited):
    """Return a function that logs in with a code."""

    def log_in(code="1234", browser=client):
        ask_for_code(browser)
        type_code(browser, code)
        assert is_logged_in(browser)

    return log_in


@pytest.fixture
def holder(log_in):
    """A user who has just got an auth token and a refresh token by a login."""
    log_in()
    return User.objects.get()
