"""Mobile numbers as people type them. Each number has one spelling: E.164."""

import re
import subprocess
import sys

import phonenumbers
import pytest
from django.contrib.auth import authenticate
from hypothesis import event, example, given, strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from django_piggy_verify import events, phones, recipients
from django_piggy_verify.login import verification
from tests.login import stateful
from tests.steps import calls

ANN = "+31612345678"
COUNTRIES = ["NL", "BE", "GB", "US", "IT", "AR", "AE", "KZ"]
EVERYWHERE = sorted(phones.known_countries())


@pytest.fixture
def served(settings):
    """Serve some countries. Numbers without a plus sign are Dutch ones."""
    settings.PIGGY_VERIFY_SMS_COUNTRIES = COUNTRIES
    settings.PIGGY_VERIFY_PHONE_REGION = "NL"


def number(typed, countries=COUNTRIES, region="NL"):
    return phones.normalise(typed, countries=countries, region=region)


SPELLINGS = {
    "E.164": "+31612345678",
    "as it is said": "0612345678",
    "dash": "06-12345678",
    "pairs": "06 12 34 56 78",
    "international": "+31 6 12345678",
    "dashes": "+31-6-12-34-56-78",
    "brackets": "+31 (6) 12345678",
    "national zero in brackets": "+31 (0)6 12345678",
    "national zero": "+31 06 12345678",
    "plus in brackets": "(+31) 6 12345678",
    "zeros in place of the plus": "0031612345678",
    "zeros and spaces": "00 31 6 1234 5678",
    "zeros and zero in brackets": "0031 (0)6-12345678",
    "without zero": "612345678",
    "without plus": "31612345678",
    "slash": "06/12345678",
    "dots": "06.12.34.56.78",
    "square brackets": "[06] 12345678",
    "white space around": " \t0612345678\r\n",
    "byte-order mark": "\ufeff+31612345678",
    "marks of an address book": "\u202a+31 6 12345678\u202c",
    "marks of a messenger": "\u2068+31 6 12345678\u2069",
    "zero width": "06\u200b12345678\u200b",
    "soft hyphen": "06\u00ad1234\u00ad5678",
    "word joiner": "06\u20601234\u20605678",
    "no-break space": "+31\u00a06\u00a012345678",
    "narrow no-break space": "+31\u202f6\u202f12345678",
    "thin space": "06\u200912345678",
    "ideographic space": "\u300006\u300012345678\u3000",
    "no-break hyphen": "06\u201112345678",
    "en dash": "06\u201312345678",
    "minus sign": "06\u221212345678",
    "full-width": "＋３１（６）１２３４５６７８",
    "full-width dots and slash": "０６／１２．３４５６７８",
    "Arabic digits": "٠٦١٢٣٤٥٦٧٨",
    "Persian digits": "+۳۱ ۶ ۱۲۳۴۵۶۷۸",
    "Devanagari digits": "०६१२३४५६७८",
    "as long as a number may be": "+31" + 20 * " " + "612345678",
}
OTHERS = {
    "+32 470 12 34 56": "+32470123456",
    "+44 7400 123456": "+447400123456",
    "+44 (0)7400 123456": "+447400123456",
    "+1 (201) 555-0123": "+12015550123",
    "+39 312 345 6789": "+393123456789",
    "+54 9 11 2345-6789": "+5491123456789",
    "+54 11 15 2345-6789": "+5491123456789",
    "+971 50 123 4567": "+971501234567",
    "+7 771 000 9998": "+77710009998",
}


@pytest.mark.parametrize("typed", SPELLINGS.values(), ids=SPELLINGS)
def test_all_spellings_of_a_number_have_one_key(served, typed):
    recipient = recipients.normalise(typed)

    assert recipient == recipients.key(recipient) == ANN


@pytest.mark.parametrize(("typed", "one"), OTHERS.items())
def test_numbers_of_every_served_country_are_accepted(served, typed, one):
    assert recipients.normalise(typed) == one


@pytest.mark.parametrize(
    ("typed", "region"),
    [
        ("07400 123456", "GB"),
        ("011 44 7400 123456", "US"),
        ("00 44 7400 123456", "IT"),
        ("+447400123456", None),
    ],
)
def test_a_number_without_plus_is_read_as_one_of_the_region(typed, region):
    assert number(typed, region=region) == "+447400123456"


REFUSED = {
    "nothing": "",
    "white space": "   ",
    "plus alone": "+",
    "a word": "ann",
    "a digit": "6",
    "too few digits": "061234567",
    "too many digits": "06123456789",
    "32 digits": "+31" + 29 * "6",
    "more than 32 characters": "+31" + 21 * " " + "612345678",
    "very long": "0" * 500,
    "letters": "0800 FLOWERS",
    "letters in a mobile number": "+31 6 1234567H",
    "extension of a link": "+31612345678;ext=5",
    "extension": "+31612345678x5",
    "extension and space": "0612345678 ext. 5",
    "extension after a sign": "0612345678#5",
    "link": "tel:+31612345678",
    "link in capitals": "TEL:+31612345678",
    "context of a link": "612345678;phone-context=+31",
    "link with a context": "tel:612345678;phone-context=+31",
    "name": "Ann <+31612345678>",
    "angle brackets": "<+31612345678>",
    "mail link": "mailto:+31612345678",
    "two numbers": "0612345678, 0687654321",
    "two numbers and a slash": "0612345678 / 0687654321",
    "two plus signs": "++31612345678",
    "plus at the end": "31612345678+",
    "plus in the middle": "06+12345678",
    "plus and zeros": "+0031612345678",
    "plus and a national number": "+0612345678",
    "control character": "06\x0012345678",
    "control character in front": "\x000612345678",
    "new line": "06\n12345678",
    "tabulator": "06\t12345678",
    "reversed": "06\u202e12345678",
    "surrogate": "06\ud80012345678",
    "superscript": "061234567⁸",
    "circled digit": "061234567⑧",
    "Roman numeral": "061234567\u2167",
    "Chinese numeral": "06一2345678",
    "wildcard": "06123456*8",
    "national fixed line": "020 123 4567",
    "fixed line": "+31201234567",
    "free": "+31 800 1234",
    "toll-free in the USA": "+1 800 555 0199",
    "premium": "+31 900 1234",
    "premium in the USA": "+1 900 555 0199",
    "company": "+31 88 123 4567",
    "personal number": "+44 70 1234 5678",
    "pager": "+44 76 4012 3456",
    "satellite": "+88 1612345678",
    "international network": "+883 5100 1234567",
    "emergency": "112",
    "short number": "1244",
    "calling code of no country": "+999 612345678",
    "no area of the USA": "+1 555 555 0123",
    # Numbers of countries that share a calling code with a served one.
    "Guernsey": "+44 7781 123456",
    "Guernsey, not Great Britain": "+44 7911 123456",
    "Isle of Man": "+44 7624 123456",
    "Canada": "+1 506 234 5678",
    "Bahamas": "+1 242 359 1234",
    "Jamaica": "+1 876 210 1234",
    "Russia": "+7 912 345 6789",
    "Germany": "+49 1512 3456789",
}


@pytest.mark.parametrize("typed", REFUSED.values(), ids=REFUSED)
def test_a_text_that_is_no_mobile_number_is_refused(served, typed):
    with pytest.raises(ValueError, match=r"."):
        recipients.normalise(typed)


@pytest.mark.django_db
@pytest.mark.parametrize("typed", REFUSED.values(), ids=REFUSED)
def test_a_refused_number_costs_nothing_and_calls_nobody(
    served, piggy_sandbox, django_assert_num_queries, typed
):
    with django_assert_num_queries(0):
        user = authenticate(recipient=typed, secret_code="123456")

    assert user is None
    assert calls(piggy_sandbox) == []


@pytest.mark.parametrize("typed", [ANN, "0612345678"])
def test_without_a_served_country_every_number_is_refused(settings, typed):
    settings.PIGGY_VERIFY_PHONE_REGION = "NL"

    with pytest.raises(ValueError, match="no country is served"):
        recipients.normalise(typed)


@pytest.mark.django_db
@pytest.mark.parametrize("typed", [ANN, "0612345678"])
def test_without_a_served_country_a_number_cannot_log_in(
    client, piggy_sandbox, django_assert_num_queries, typed
):
    page = client.post("/login/", {"email": typed})

    assert page.context["form"].errors.as_data()["email"][0].code == "invalid"
    with django_assert_num_queries(0):
        assert authenticate(recipient=typed, secret_code="123456") is None
    assert calls(piggy_sandbox) == []


@pytest.mark.parametrize(
    "countries",
    [
        *("NL", "NL,BE", b"NL", 5, True, {"NL": True}, {"NL"}),
        *(["nl"], ["Nl"], ["NLD"], ["31"], [31], [None], [""], [["NL"]], ["NL "]),
        *(["001"], ["XX"], ["EU"], ["*"]),
    ],
    ids=repr,
)
def test_a_wrong_list_of_countries_serves_no_country(settings, countries):
    settings.PIGGY_VERIFY_SMS_COUNTRIES = countries

    for typed in (ANN, REFUSED["satellite"], "ann"):
        with pytest.raises(ValueError, match=r"."):
            recipients.normalise(typed)
    assert recipients.normalise("ann@example.com") == "ann@example.com"


@pytest.mark.parametrize(
    "region", [None, "", "nl", "DE", "XX", "001", 5, ["NL"], "NL,BE"], ids=repr
)
def test_a_wrong_region_reads_only_numbers_with_a_plus(served, settings, region):
    settings.PIGGY_VERIFY_PHONE_REGION = region

    assert recipients.normalise("+31 6 12345678") == ANN
    for typed in ("0612345678", "0031612345678", "31612345678", "015123456789"):
        with pytest.raises(ValueError, match=r"."):
            recipients.normalise(typed)


def test_a_number_of_a_country_that_is_not_served_is_refused_without_plus():
    with pytest.raises(ValueError, match="not served"):
        number("00 49 1512 3456789")


# Texts that nobody thought of


def mobile_of(country):
    mobile = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
    return mobile and phonenumbers.format_number(mobile, PhoneNumberFormat.E164)


MOBILES = sorted({each for each in map(mobile_of, EVERYWHERE) if each})
TYPED = st.text("+0123456789 ()-./xX;٠６", max_size=20) | st.text(max_size=40)


@given(TYPED, st.sampled_from([None, *EVERYWHERE]))
@example("0612345678", "NL")
@example("01115 2345 6789", "AR")
@example("044 55 1234 5678", "MX")
@example("0 15 11 96123 4567", "BR")
def test_a_number_is_refused_or_has_one_plain_spelling(typed, region):
    try:
        one = number(typed, EVERYWHERE, region)
    except ValueError:
        return

    event("accepted")
    assert re.fullmatch(r"\+[1-9][0-9]{6,14}", one)
    assert number(one, EVERYWHERE, region) == one
    assert number(one, EVERYWHERE, None) == one


@given(st.sampled_from(MOBILES), st.data())
def test_digits_and_separators_make_no_other_number(mobile, data):
    between = st.text(" -().\u00a0\u2011", max_size=1)
    digits = st.sampled_from("0\uff10\u0660\u06f0")
    typed = "".join(
        (each if each == "+" else chr(ord(data.draw(digits)) + int(each)))
        + data.draw(between)
        for each in mobile
    )

    assert number(typed, EVERYWHERE) == number(mobile, EVERYWHERE)


@given(st.text("0123456789", min_size=1, max_size=4), st.sampled_from(MOBILES))
def test_another_last_digits_are_another_number(end, mobile):
    try:
        other = number(mobile[: -len(end)] + end, EVERYWHERE)
    except ValueError:
        return

    assert (other == number(mobile, EVERYWHERE)) == mobile.endswith(end)


@pytest.mark.parametrize("mobile", MOBILES)
def test_a_mobile_number_of_every_country_keeps_its_spelling(mobile):
    assert number(mobile, EVERYWHERE) == mobile


# Masking


@pytest.mark.parametrize(
    ("recipient", "masked"),
    [
        (ANN, "+31*******78"),
        ("+12015550123", "+12*******23"),
        ("+2908123", "+29***23"),
    ],
)
def test_the_masked_number_shows_three_and_two_characters(recipient, masked):
    assert recipients.masked(recipient) == masked


def test_a_text_that_is_no_number_is_masked_too():
    assert recipients.masked("+31\n6123\n4578") == "+31********78"


@pytest.mark.parametrize(
    "recipient", ["\n+31612345678", "+31612345678\n", "+316\r\nERROR forged", "\u2028+"]
)
def test_a_number_starts_no_new_line_in_the_log(caplog, recipient):
    caplog.set_level("INFO")

    events.CODE_REJECTED.log(recipient=recipient)

    assert caplog.messages[0].isprintable()


@pytest.mark.django_db
def test_the_log_shows_a_part_of_the_number(served, settings, caplog):
    caplog.set_level("DEBUG")
    stateful.use(settings)
    verification.send_code(ANN)

    assert authenticate(recipient="06 12345678", secret_code="wrong") is None
    assert "The code for +31*******78 was wrong" in caplog.messages
    assert "12345678" not in caplog.text


# Without the package


WITHOUT = """
import sys
sys.modules["phonenumbers"] = None
import django
django.setup()
from django.conf import settings
settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL"]
from django_piggy_verify import recipients
print(recipients.normalise("ann@example.com"))
for typed in ("+31612345678", "ann"):
    try:
        recipients.normalise(typed)
    except ValueError as error:
        print(error)
"""


def test_without_the_package_addresses_work_and_numbers_are_refused():
    command = [sys.executable, "-W", "error", "-c", WITHOUT]

    run = subprocess.run(command, capture_output=True, text=True, check=True)

    assert run.stdout.splitlines() == [
        "ann@example.com",
        "the package phonenumbers is missing",
        "not a decimal",
    ]


@pytest.mark.parametrize(
    ("countries", "region", "number"),
    [
        (["NL"], "NL", "+31 6 12345678"),
        (["US", "NL"], None, "+1 201-555-0123"),
        (["US", "NL"], "NL", "+31 6 12345678"),
        (["TA"], None, "+31 6 12345678"),
        ([], None, "+31 6 12345678"),
        ([], "XX", "+31 6 12345678"),
    ],
)
def test_the_example_is_a_number_of_the_region(countries, region, number):
    assert phones.example(countries=countries, region=region) == number


def test_without_the_package_there_is_an_example_all_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "phonenumbers", None)

    assert phones.example(countries=["US"], region="US") == "+31 6 12345678"
