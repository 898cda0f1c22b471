"""Follow the guide for languages."""

import polib
import pytest
from django.utils import translation
from django.utils.translation import gettext

from tests.documentation.pages import blocks, run

ALONE, LISTED = blocks("languages")
[TEXTS] = blocks("languages", of="po")


@pytest.fixture(autouse=True)
def no_language():
    """Leave none active: the middleware leaves its last one so."""
    translation.deactivate()
    yield
    translation.deactivate()


@pytest.fixture
def locale(settings, tmp_path):
    """Return a function that compiles the guide's texts in a folder of LOCALE_PATHS."""

    def write(name):
        folder = tmp_path / "locale" / name / "LC_MESSAGES"
        folder.mkdir(parents=True)
        polib.pofile(TEXTS).save_as_mofile(str(folder / "django.mo"))
        settings.LOCALE_PATHS = [tmp_path / "locale"]

    return write


def test_one_setting_is_enough_for_one_language(client, db, settings):
    settings.LANGUAGE_CODE = run(ALONE)["LANGUAGE_CODE"]

    assert "Je hebt geen wachtwoord nodig." in client.get("/login/").text


@pytest.mark.parametrize(
    ("browser", "text"),
    [
        ("nl", "Je hebt geen wachtwoord nodig."),
        ("nl-BE", "Je hebt geen wachtwoord nodig."),
        ("de", "Du brauchst kein Passwort."),
        ("en", "No password needed."),
        ("fr", "Je hebt geen wachtwoord nodig."),
    ],
)
def test_a_listed_language_is_chosen_by_the_browser(
    client, db, settings, browser, text
):
    middleware = "django.middleware.locale.LocaleMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, middleware]
    for name, value in run(LISTED).items():
        setattr(settings, name, value)

    page = client.get("/login/", headers={"accept-language": browser}).text

    assert text in page


@pytest.mark.parametrize(
    ("folder", "formal"),
    [("nl_X-informal", "Controleer uw e-mail"), ("nl", "Kijk in je mail")],
)
def test_a_text_of_the_project_takes_the_place_of_ours(locale, folder, formal):
    locale(folder)

    with translation.override("nl-x-informal"):
        assert gettext("Check your email") == "Kijk in je mail"
        assert gettext("Try again") == "Opnieuw proberen"
    with translation.override("nl"):
        assert gettext("Check your email") == formal


def test_a_language_that_we_do_not_have_may_be_added(locale):
    locale("pt")

    with translation.override("pt"):
        assert gettext("Check your email") == "Kijk in je mail"
