"""A typed or pasted text becomes the code that was mailed."""

import string

import pytest
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from hypothesis import assume, given, strategies as st

from django_piggy_verify.forms import CodeField
from django_piggy_verify.login import codes
from django_piggy_verify.secret import Secret
from tests.steps import ADDRESS, JSON, ask_for_code, calls, is_logged_in, type_code

AROUND = "\"'`()[]{}<>#."
INVISIBLE = "\u00ad\u034f\u200b\u200d\u2060\ufe0f\ufeff\u3164\u2800"
SPACES = " \t\u00a0\u2007\u3000"
DASHES = "-\u2010\u2011\u2013\u2014\u2212\uff0d"


def filled(written, fillers):
    """Put fillers between the characters of a text, at random places."""
    pieces = [st.tuples(st.just(each), fillers) for each in written]
    return st.tuples(*pieces).map(lambda pairs: "".join(map("".join, pairs)))


def is_plain_inside(code):
    """Whether cleaning keeps a code: no quote or bracket, no number with dashes."""
    has_letter = not code.replace("-", "").isdecimal() and code.strip("-")
    return code[0] not in AROUND and code[-1] not in AROUND and has_letter


PRINTABLE = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64
)
MAILED = PRINTABLE.filter(is_plain_inside)
GROUPS = st.text("AZ09-", min_size=2, max_size=64).filter(is_plain_inside)
NUMBERS = st.text(string.digits, min_size=4, max_size=10)
WORDS = st.lists(st.text(string.ascii_letters, min_size=2, max_size=8), min_size=1)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("123456", "123456"),
        (" 123 456 ", "123456"),
        ("123-456", "123456"),
        ("123 - 456", "123456"),
        ("123\u2013456", "123456"),
        ("123\u2212456", "123456"),
        ("123\u200b456\ufeff", "123456"),
        ("1\ufe0f2\u034f3", "123"),
        ("\ufeff \u200b123456", "123456"),
        ("１２３４５６", "123456"),
        ("١٢٣٤٥٦", "123456"),
        ("\t123456\r\n", "123456"),
        ("123\t456", "123456"),
        ("aBc-9", "aBc-9"),
        ("aB3-x9Zq", "aB3-x9Zq"),
        ("aB3 - x9Zq", "aB3-x9Zq"),
        ("aB3\u2013x9Zq", "aB3-x9Zq"),
        ("-a", "-a"),
        ("ABCD 1234", "ABCD1234"),
        ("aB3 x9Zq", "aB3x9Zq"),
    ],
    ids=ascii,
)
def test_codes_are_cleaned_to_what_was_mailed(typed, code):
    assert CodeField().clean(typed) == code


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ('"321230".', "321230"),
        ("'321230'", "321230"),
        ("`321230`", "321230"),
        ("(321230)", "321230"),
        ("[321230]", "321230"),
        ("{321230}", "321230"),
        ("<321230>", "321230"),
        ("#321230", "321230"),
        ("321230.", "321230"),
        ("321230)", "321230"),
        ("\u201c321 230\u201d", "321230"),
        ("\u201e321230\u201c", "321230"),
        ("\u00bb321230\u00ab", "321230"),
        ("\u300c321230\u300d\u3002", "321230"),
        ("\uff08321230\uff09", "321230"),
        ('"aB3-x9Zq".', "aB3-x9Zq"),
        ('" -12-34 "', "1234"),
        ("\u201cABCD 1234\u201d", "ABCD1234"),
    ],
    ids=ascii,
)
def test_quotes_brackets_and_signs_around_a_code_are_removed(typed, code):
    assert CodeField().clean(typed) == code


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("a(b)", "a(b)"),
        ("[a]b", "[a]b"),
        ('a"b"', 'a"b"'),
        ('"a(b)".', "a(b)"),
        ('"a"b"', 'a"b'),
        ("a.b#c", "a.b#c"),
    ],
)
def test_a_bracket_whose_partner_is_inside_a_code_stays(typed, code):
    assert CodeField().clean(typed) == code


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("Your code is 321 230", "321230"),
        ("Your code is:\r\n\r\n321230\r\n", "321230"),
        ("321230 is uw code.", "321230"),
        ("Ihr Code lautet \u201e321-230\u201c.", "321230"),
        ("Votre cl\u00e9 : 0012", "0012"),
        ("Enter (1234567890), please!", "1234567890"),
        ("YOUR CODE IS #321230", "321230"),
        ("code 321230", "321230"),
        ("PIN: 321230", "321230"),
        (
            "\u60a8\u7684\u9a8c\u8bc1\u7801\u662f \uff13\uff12\uff11\uff12\uff13\uff10",
            "321230",
        ),
    ],
    ids=ascii,
)
def test_the_only_number_of_a_sentence_is_the_code(typed, code):
    assert CodeField().clean(typed) == code


@pytest.mark.parametrize(
    "typed",
    [
        "Your code is 321230, valid for 10 minutes",
        "Your code is 321230 - 5 minutes are left",
        "Your code is 321230 or 654321",
        "Your code is 123",
        "Your code is 12345678901",
        "Your code is G-321230",
        "Your code is 321230x",
        "Your price is 1234.56",
        "call us on +31 20 1234 56",
        "code:321230",
        "Your\x00code is 321230",
    ],
    ids=ascii,
)
def test_a_text_without_exactly_one_number_is_not_interpreted(typed):
    try:
        code = codes.normalise(typed)
    except ValueError:
        return

    assert code == typed.replace(" ", "")


@pytest.mark.parametrize(
    "typed",
    [
        "12\r\n34",
        "12\x0034",
        "\ud800",
        "é1",
        "1" * 65,
        "1" * 10_000,
        "\ufdfa" * 1_000_000,
        '"".',
        "\u200b",
        "\u201c\u201d",
    ],
    ids=range(10),
)
def test_an_invalid_code_is_refused(typed):
    with pytest.raises(ValidationError) as caught:
        CodeField().clean(typed)

    assert caught.value.code in {"invalid", "null_characters_not_allowed"}


def test_a_text_of_megabytes_is_refused_before_it_is_folded(monkeypatch):
    monkeypatch.setattr(codes, "_fold", lambda _: pytest.fail("folded"))

    with pytest.raises(ValueError, match="no code"):
        codes.normalise("\ufdfa" * 1_000_000)


@given(st.text(max_size=80) | PRINTABLE)
def test_a_cleaned_code_is_plain_and_stays_what_it_is(typed):
    try:
        code = CodeField(required=False).clean(typed)
    except ValidationError:
        return

    assert code.isascii()
    assert CodeField(required=False).clean(code) == code


def test_a_cleaned_code_does_not_show_itself():
    code = CodeField().clean("123456")

    assert isinstance(code, Secret)
    assert "123456" not in repr({"code": code})


@given(MAILED)
def test_a_code_that_is_typed_as_it_was_mailed_comes_through(mailed):
    assert codes.normalise(mailed) == mailed


@given(MAILED, st.data())
def test_a_code_comes_through_with_invisible_characters_and_in_full_width(mailed, data):
    wide = "".join(chr(ord(each) + 0xFEE0) for each in mailed)
    written = data.draw(filled(wide, st.text(INVISIBLE, max_size=1)))

    assert codes.normalise(written) == mailed


@given(MAILED, st.data())
def test_a_code_comes_through_in_quotes_and_brackets(mailed, data):
    opening, closing = data.draw(
        st.sampled_from(
            ['""', "''", "()", "[]", "<>", "{}", "\u201c\u201d", "\u201e\u201c"]
        )
    )
    end = data.draw(st.sampled_from(["", ".", " ."]))

    assert codes.normalise(f"{opening}{mailed}{closing}{end}") == mailed


@given(GROUPS, st.data())
def test_a_code_with_letters_comes_through_in_groups(mailed, data):
    written = data.draw(filled(mailed, st.text(SPACES, max_size=1)))

    assert codes.normalise(written) == mailed


@pytest.mark.parametrize("typed", ["abcd 1234", "1234 abcd", "abcd-efgh 1234"])
def test_one_group_of_small_letters_beside_a_number_is_no_sentence(typed):
    assert codes.normalise(typed) == typed.replace(" ", "")


@given(NUMBERS, st.data())
def test_a_number_comes_through_in_groups(number, data):
    written = data.draw(filled(number, st.text(SPACES + DASHES, max_size=2)))

    assert codes.normalise(written) == number


@given(NUMBERS, WORDS, WORDS, st.sampled_from("- "))
def test_a_number_comes_through_in_a_sentence(number, before, after, separator):
    grouped = separator.join([number[:3], number[3:]])
    sentence = " ".join([*before, "code", grouped, *after])
    assume(len(sentence) <= codes.MAX_TYPED)

    assert codes.normalise(sentence) == number


@given(NUMBERS, WORDS, NUMBERS)
def test_none_of_two_numbers_is_chosen(one, words, other):
    typed = " ".join(["code", one, *words, other])
    try:
        code = codes.normalise(typed)
    except ValueError:
        return

    assert code == typed.replace(" ", "")


# From the page to the API ---------------------------------------------------------


@pytest.fixture
def mailed(client, contact, piggy_sandbox):
    """Have a code with letters mailed in place of the sandbox's own."""
    ask_for_code(client)
    piggy_sandbox.mails[0].code = "aB3-x9Zq"


@pytest.mark.parametrize("typed", ["aB3-x9Zq", ' "aB3-x9Zq". ', "aB3\u2011x9Zq"])
@pytest.mark.parametrize("headers", [{}, JSON], ids=["html", "json"])
def test_a_code_with_letters_and_dashes_logs_in(client, mailed, typed, headers):
    type_code(client, typed, headers=headers)

    assert is_logged_in(client)


def test_a_code_without_the_dash_that_was_mailed_is_wrong(client, mailed):
    type_code(client, "aB3x9Zq")

    assert not is_logged_in(client)


def test_a_pasted_sentence_logs_in(client, code):
    type_code(client, f"Your code is {code[:3]} {code[3:]}.")

    assert is_logged_in(client)


def test_a_sentence_with_two_numbers_logs_nobody_in(client, code, piggy_sandbox):
    type_code(client, f"Your code is {code}, valid for 10 minutes")

    assert not is_logged_in(client)


def test_authenticate_reads_codes_as_the_page_does(rf, mailed):
    proof = {"recipient": ADDRESS, "secret_code": "(aB3-x9Zq)"}

    assert authenticate(rf.post("/"), **proof)


def test_a_used_code_is_refused_with_other_dashes(client, mailed, piggy_sandbox):
    """As far as we know, the API could take both for one code."""
    piggy_sandbox.switches.reuse_codes = True
    type_code(client, "aB3-x9Zq")
    again = {"recipient": ADDRESS, "secret_code": "aB3x9-Zq"}

    assert authenticate(None, **again) is None
    assert calls(piggy_sandbox).count("verify") == 1
