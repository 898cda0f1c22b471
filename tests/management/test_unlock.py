import pytest
from django.core.management import CommandError, call_command

from tests.steps import ADDRESS, SPELLINGS, UNLIMITED, ask_for_code, log_in, type_code


@pytest.mark.django_db
@pytest.mark.parametrize("address", [ADDRESS, *SPELLINGS.values()], ids=ascii)
def test_a_member_who_was_locked_out_may_try_again(
    client, piggy_sandbox, settings, capsys, address
):
    piggy_sandbox.add_contact(ADDRESS)
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {"check_recipient": "1/1h"}
    ask_for_code(client)
    type_code(client, "wrong")

    call_command("piggy_verify_unlock", address)

    assert "5 counts" in capsys.readouterr().out
    assert log_in(client, piggy_sandbox).url == "/members/"


def test_sends_and_the_cooldown_are_cleared_as_well(client, contact, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_recipient": "1/1h"}
    ask_for_code(client)

    call_command("piggy_verify_unlock", ADDRESS, verbosity=0)

    assert ask_for_code(client).status_code == 302


def test_others_stay_locked(client, contact, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}
    ask_for_code(client)

    call_command("piggy_verify_unlock", ADDRESS, verbosity=0)

    assert ask_for_code(client).status_code == 429


def test_a_text_that_is_no_address_is_an_error(db):
    with pytest.raises(CommandError, match="not an email address"):
        call_command("piggy_verify_unlock", "ann")


@pytest.mark.django_db
def test_an_unlock_without_counts_names_other_causes(capsys):
    call_command("piggy_verify_unlock", ADDRESS)

    printed = capsys.readouterr().out
    assert printed.startswith(f"0 counts of {ADDRESS} cleared\n")
    assert "client address" in printed
