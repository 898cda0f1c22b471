"""The lockouts of django-axes hold for apps."""

import pytest
from axes.models import AccessAttempt

from tests.apps.steps import App, error
from tests.login.test_axes import axes
from tests.steps import ADDRESS

__all__ = ["axes"]


@pytest.fixture
def one_wrong_code(app, axes, settings, unlimited):
    settings.AXES_RESET_ON_SUCCESS = True
    app.ask()
    app.type_code("wrong")


@pytest.mark.usefixtures("one_wrong_code")
def test_an_app_is_locked_out_after_wrong_codes(app, piggy_sandbox):
    second = app.type_code("wrong again")
    right = app.type_code(piggy_sandbox.last_code(ADDRESS))

    for response in (second, right):
        assert error(response) == (429, "too_many_attempts")
        assert response.json()["error"]["limit"] == "lockout"


@pytest.mark.usefixtures("one_wrong_code")
def test_the_login_of_an_app_does_not_reset_the_failures(piggy_sandbox):
    """Axes resets them at `user_logged_in`, which is not sent."""
    assert App().log_in(piggy_sandbox).status_code == 200

    assert AccessAttempt.objects.get().failures_since_start == 1
