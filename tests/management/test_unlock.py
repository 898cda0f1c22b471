import pytest
from django.core.management import CommandError, call_command

from django_piggy_verify.exceptions import TooManyAttempts
from django_piggy_verify.login.verification import send_code
from tests.login import stateful
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


NUMBERS = ["+31612345678", "0612345678", " 06 - 12 34 56 78", "0031 (0)6 12345678"]


@pytest.fixture
def texts(db, settings):
    """Let a vendor send one text an hour to each Dutch number, and four a day."""
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL"]
    settings.PIGGY_VERIFY_PHONE_REGION = "NL"
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_sms_day": "4/1d"}
    return stateful.use(settings)


@pytest.mark.parametrize("typed", NUMBERS)
def test_a_number_is_unlocked_in_any_spelling(texts, capsys, typed):
    send_code("+31612345678")
    assert not send_code("+31612345678").is_sent

    call_command("piggy_verify_unlock", typed)

    assert "3 counts of +31612345678 cleared" in capsys.readouterr().out
    assert send_code("+31612345678").is_sent


def test_another_number_stays_locked(texts):
    send_code("+31612345678")

    call_command("piggy_verify_unlock", "+31612345679", verbosity=0)

    assert not send_code("+31612345678").is_sent


def test_an_unlock_does_not_clear_the_cap_of_all_texts(texts):
    for last in "5678":
        send_code(f"+3161234567{last}")

    call_command("piggy_verify_unlock", "+31612345678", verbosity=0)

    with pytest.raises(TooManyAttempts) as raised:
        send_code("+31612345678")
    assert raised.value.limit == "send_sms_day"


def test_a_number_can_be_unlocked_after_its_country_was_removed(
    texts, capsys, settings
):
    send_code("+31612345678")
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["BE"]

    call_command("piggy_verify_unlock", "+31 6 12345678")

    assert capsys.readouterr().out.startswith("3 counts of +31612345678 cleared")


def test_without_text_messages_a_number_cannot_be_unlocked(settings):
    settings.PIGGY_VERIFY_SMS_COUNTRIES = []

    with pytest.raises(CommandError, match="PIGGY_VERIFY_SMS_COUNTRIES"):
        call_command("piggy_verify_unlock", "+31612345678")


@pytest.mark.django_db
def test_an_unlock_without_counts_names_other_causes(capsys):
    call_command("piggy_verify_unlock", ADDRESS)

    printed = capsys.readouterr().out
    assert printed.startswith(f"0 counts of {ADDRESS} cleared\n")
    assert "client address" in printed
