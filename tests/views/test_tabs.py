"""Several tabs of one login, of which one asks for another code."""

import time

import pytest

from django_piggy_verify.sandbox import Fault
from tests.steps import ADDRESS, ask_for_code, is_logged_in, type_code

CODE, RESEND = "/login/code/", "/login/code/resend/"


@pytest.fixture
def tab(client, contact, piggy_sandbox):
    """The fields of a tab whose code was not sent. The API works again."""
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    response = ask_for_code(client)
    piggy_sandbox.switches.fault = None
    return {"login": response.cookies["piggy_verify_login"].value}


def test_a_code_that_another_tab_has_asked_for_can_be_typed(client, tab, piggy_sandbox):
    client.post(RESEND, tab)

    type_code(client, piggy_sandbox.last_code(ADDRESS), **tab)

    assert is_logged_in(client)


def test_a_code_that_another_tab_has_asked_for_gives_all_tabs_more_time(
    client, code, piggy_sandbox, time_machine, unlimited
):
    tab = {"login": client.get(CODE).context["login"]}
    time_machine.move_to(time.time() + 590)
    client.post(RESEND, tab)
    time_machine.shift(20)

    type_code(client, piggy_sandbox.last_code(ADDRESS), **tab)

    assert is_logged_in(client)
