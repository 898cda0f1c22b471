import pytest

from tests.apps.steps import App, token_of


@pytest.fixture(autouse=True)
def app_urls(settings):
    settings.ROOT_URLCONF = "tests.apps.urls"
    settings.PIGGY_VERIFY_APP_TOKEN = token_of


@pytest.fixture
def app(contact):
    """An app of the contact with the usual address."""
    return App()
