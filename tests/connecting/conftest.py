import pytest


@pytest.fixture(autouse=True)
def _connect_is_on(settings):
    settings.PIGGY_VERIFY_CONNECT = True


@pytest.fixture
def shopper(client, django_user_model):
    """A user with a password, who has logged in with `client`."""
    found = django_user_model.objects.create_user("shopper", password="secret-words")
    client.force_login(found, "django.contrib.auth.backends.ModelBackend")
    return found
