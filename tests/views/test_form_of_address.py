"""Check how a project chooses Dutch with "je" and German with "du"."""

from datetime import date

import pytest
from django import forms
from django.utils import formats, translation

LOCALE_MIDDLEWARE = "django.middleware.locale.LocaleMiddleware"


@pytest.fixture(autouse=True)
def no_language():
    """Leave none active: the middleware leaves its last one so."""
    translation.deactivate()
    yield
    translation.deactivate()


@pytest.fixture
def read(client, db, settings):
    """Return a function that opens the first page with the languages of a browser."""

    def read(browser, **cookies):
        client.cookies.load(cookies)
        return client.get("/login/", headers={"accept-language": browser}).text

    return read


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("nl", "U hebt geen wachtwoord nodig."),
        ("nl-x-informal", "Je hebt geen wachtwoord nodig."),
        ("de", "Sie brauchen kein Passwort."),
        ("de-x-informal", "Du brauchst kein Passwort."),
    ],
)
def test_one_setting_chooses_the_form_of_address(settings, read, code, text):
    settings.LANGUAGE_CODE = code

    page = read("fr")

    assert f'<html lang="{code}" dir="ltr">' in page
    assert text in page


def test_a_site_with_both_forms_lets_the_visitor_choose(settings, read):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, LOCALE_MIDDLEWARE]
    settings.LANGUAGES = [
        ("nl", "Nederlands (u)"),
        ("nl-x-informal", "Nederlands (je)"),
    ]

    assert '<html lang="nl" dir="ltr">' in read("nl")
    chosen = read("nl", **{settings.LANGUAGE_COOKIE_NAME: "nl-x-informal"})
    assert '<html lang="nl-x-informal" dir="ltr">' in chosen


def said_by_django(code):
    with translation.override(code):
        return (
            str(forms.CharField.default_error_messages["required"]),
            formats.date_format(date(2026, 3, 1)),
            formats.number_format(1234.5, force_grouping=True),
            translation.get_language_info(code)["name_local"],
        )


@pytest.mark.parametrize("formal", ["nl", "de"])
def test_django_speaks_the_language_in_both_forms(formal):
    """Django has no informal catalogue, and gettext falls back on the formal one."""
    informal = said_by_django(f"{formal}-x-informal")

    assert informal == said_by_django(formal)
    assert not set(informal) & set(said_by_django("en"))
