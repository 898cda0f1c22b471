"""An app that a member has logged in with before has counts of its own."""

import pytest

from tests.apps.steps import App, error
from tests.steps import ADDRESS, BOB


@pytest.fixture
def known(app, piggy_sandbox, settings):
    """An app that the member has logged in with, and few attempts for all others."""
    app.log_in(piggy_sandbox)
    app.kept.pop("login")
    settings.PIGGY_VERIFY_RATE_LIMITS = {
        "send_cooldown": "99/1h",
        "check_recipient": "1/1h",
    }
    return app


@pytest.fixture
def few_sends(known, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS["send_recipient"] = "2/1h"


def use_up_checks():
    stranger = App()
    stranger.ask()
    for _attempt in range(2):
        response = stranger.type_code("wrong")
    assert error(response) == (429, "too_many_attempts")


def test_a_stranger_cannot_lock_a_known_app_out(known, piggy_sandbox):
    use_up_checks()

    assert known.log_in(piggy_sandbox).status_code == 200


def test_a_new_app_is_locked_out_meanwhile(known, piggy_sandbox):
    use_up_checks()

    new = App()
    new.ask()
    code = piggy_sandbox.last_code(ADDRESS)
    assert error(new.type_code(code)) == (429, "too_many_attempts")


@pytest.mark.usefixtures("few_sends")
def test_a_known_app_has_sends_of_its_own(known):
    App().ask()
    App().ask()

    responses = [each.ask().status_code for each in (App(), known)]

    assert responses == [429, 202]


@pytest.mark.usefixtures("few_sends")
def test_a_known_app_can_ask_again(known):
    known.ask()
    for _attempt in range(2):
        App().ask()

    assert known.resend().status_code == 202


@pytest.mark.parametrize("device", ["", "forged", 5, None, []])
def test_a_device_that_is_not_ours_changes_nothing(known, piggy_sandbox, device):
    use_up_checks()
    known.kept["device"] = device
    known.ask()

    response = known.type_code(piggy_sandbox.last_code(ADDRESS))

    assert error(response) == (429, "too_many_attempts")


def test_the_device_of_another_member_changes_nothing(known, piggy_sandbox):
    piggy_sandbox.add_contact(BOB)
    device = known.kept["device"]
    other = App()
    other.ask(BOB)
    for _attempt in range(2):
        other.type_code("wrong")
    other.kept["device"] = device

    response = other.type_code(piggy_sandbox.last_code(BOB))

    assert error(response) == (429, "too_many_attempts")


def test_a_device_in_a_cookie_is_ignored(known, piggy_sandbox):
    use_up_checks()
    known.client.cookies["piggy_verify_device"] = known.kept.pop("device")
    known.ask()

    response = known.type_code(piggy_sandbox.last_code(ADDRESS))

    assert error(response) == (429, "too_many_attempts")
