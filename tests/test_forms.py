from operator import itemgetter

import pytest
from django import forms
from django.template.loader import render_to_string
from hypothesis import given, strategies as st

from django_piggy_verify import recipients
from django_piggy_verify.forms import EmailForm, RecipientField
from tests.test_recipients import spelled_twice


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


def test_fields_of_a_subclass_are_rendered_completely():
    page = render_to_string("piggy_verify/_fields.html", {"form": FormOfAProject({})})

    assert '<div class="needed">' in page
    assert '<label for="id_email">Email</label>' in page
    assert 'for="id_bare"' not in page
    assert 'id="id_email_helptext">The one on your <b>card</b>.' in page
    assert 'aria-describedby="id_email_helptext id_email_error"' in page
    assert 'id="id_email_error"><li>Enter your email address.' in page
    assert "Card:</legend>" in page
    assert '<input type="hidden" name="next" id="id_next">' in page


def test_an_error_of_a_hidden_field_is_shown():
    page = render_to_string("piggy_verify/_errors.html", {"form": FormOfAProject({})})

    assert "<li>Shop: This field is required.</li>" in page
