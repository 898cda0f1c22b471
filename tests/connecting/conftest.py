import pytest

from tests.connecting.steps import ask, become


@pytest.fixture(autouse=True)
def _connect_is_on(settings):
    settings.PIGGY_VERIFY_CONNECT = True


@pytest.fixture
def shopper(client, django_user_model):
    """A user with a password, who has logged in with `client`."""
    found = django_user_model.objects.create_user("shopper", password="secret-words")
    become(client, found)
    return found


@pytest.fixture
def transmit(sandbox_for, settings):
    """The sandbox of Transmit, which mails links to addresses."""
    sandbox = sandbox_for("transmit")
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS |= {"email_by": "link"}
    return sandbox


@pytest.fixture
def uid(shopper):
    """The id of the shopper at Transmit."""
    return f"user-{shopper.pk}"


@pytest.fixture
def asked(client, shopper, transmit):
    """The browser of the shopper, who has asked for a link."""
    ask(client)
    return client
