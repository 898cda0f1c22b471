from operator import itemgetter

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from hypothesis import given, strategies as st

from django_piggy_verify import recipients
from django_piggy_verify.forms import CodeField, EmailForm, RecipientField
from django_piggy_verify.login import codes
from django_piggy_verify.secret import Secret
from tests.test_recipients import spelled_twice


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("123456", "123456"),
        (" 123 456 ", "123456"),
        ("123-456", "123456"),
        ("123\u2013456", "123456"),
        ("123\u200b456\ufeff", "123456"),
        ("１２３４５６", "123456"),
        ("١٢٣٤٥٦", "123456"),
        ("aBc-9", "aBc9"),
        ("\t123456\r\n", "123456"),
    ],
)
def test_codes_are_cleaned_to_what_was_mailed(typed, code):
    assert CodeField().clean(typed) == code


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
    ],
    ids=range(7),
)
def test_what_cannot_be_a_code_is_refused(typed):
    with pytest.raises(ValidationError) as caught:
        CodeField().clean(typed)

    assert caught.value.code in {"invalid", "null_characters_not_allowed"}


def test_a_text_of_megabytes_is_refused_before_it_is_folded(monkeypatch):
    monkeypatch.setattr(codes, "_fold", lambda _: pytest.fail("folded"))

    with pytest.raises(ValueError, match="no code"):
        codes.normalise("\ufdfa" * 1_000_000)


@given(st.text(max_size=80))
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


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("ann@example。com", "ann@example.com"),
        ("ann@ｅｘａｍｐｌｅ．ｃｏｍ", "ann@example.com"),
        ("ann@\U00010412.example", "ann@xn--zj8c.example"),
    ],
    ids=["ideographic", "wide", "astral"],
)
def test_an_address_is_judged_in_its_one_spelling(typed, address):
    assert RecipientField().clean(typed) == address


# What a mailed code may hold; spaces and dashes are what people put in between.
MAILED = st.text(
    [each for each in map(chr, range(0x21, 0x7F)) if each != "-"],
    min_size=1,
    max_size=codes.MAX_LENGTH,
)
FILLERS = st.text(" -\u2013\u2014\u00a0\u3000\u200b\u2060\ufeff", max_size=1)


@given(MAILED, st.data())
def test_a_code_comes_through_however_it_is_written(mailed, data):
    wide = data.draw(st.booleans())
    written = "".join(
        data.draw(FILLERS) + (chr(ord(each) + 0xFEE0) if wide else each)
        for each in mailed
    )

    assert CodeField().clean(written) == mailed


@given(st.text(max_size=300) | spelled_twice().map(itemgetter(1)))
def test_the_form_takes_an_address_in_its_one_spelling_or_not_at_all(typed):
    form = EmailForm({"email": typed})

    if form.is_valid():
        assert form.cleaned_data["email"] == recipients.normalise(typed)
    else:
        assert form.errors["email"]


class FormOfAProject(EmailForm):
    required_css_class = "needed"
    email = RecipientField(help_text="The one on your <b>card</b>.")
    shop = forms.IntegerField(widget=forms.HiddenInput)
    bare = forms.CharField(label="")
    card = forms.ChoiceField(choices=[("a", "Gold")], widget=forms.RadioSelect)


def test_the_fields_of_a_subclass_show_all_that_they_have():
    page = render_to_string("piggy_verify/_fields.html", {"form": FormOfAProject({})})

    assert '<div class="needed">' in page
    assert '<label for="id_email">Email</label>' in page
    assert 'for="id_bare"' not in page
    assert 'id="id_email_helptext">The one on your <b>card</b>.' in page
    assert 'aria-describedby="id_email_helptext id_email_error"' in page
    assert 'id="id_email_error"><li>Enter your email address.' in page
    assert "Card:</legend>" in page
    assert '<input type="hidden" name="next" id="id_next">' in page


def test_an_error_of_a_hidden_field_is_told():
    page = render_to_string("piggy_verify/_errors.html", {"form": FormOfAProject({})})

    assert "<li>Shop: This field is required.</li>" in page
