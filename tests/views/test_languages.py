"""Check the translations and the translated pages."""

import os
import re
import shutil
from pathlib import Path

import polib
import pytest
from django.core.management import call_command
from django.utils import translation
from django.utils.translation import to_locale

import django_piggy_verify
from django_piggy_verify.durations import in_words
from tests.every_page import every_page

PACKAGE = Path(django_piggy_verify.__file__).parent
LANGUAGES = ["de", "de-x-informal", "en", "es", "fr", "nl", "nl-x-informal"]
REQUIRED = "PIGGY_VERIFY_REQUIRE_SERVICES" in os.environ
IN_TEMPLATES = re.compile(r"%\(\w+\)[sd]|\{\w+\}|</?\w+[^>]*>|[\"<>]")
OTHER_ADDRESS = {
    "de": r"(?i)\b(du|dich|dir|dein\w*)\b",
    "de-x-informal": r"\b(Sie|Ihr|Ihre[mnrs]?|Ihnen)\b",  # `sie` is "they", too
    "es": r"(?i)\b(tú|tu|tus|te|ti|contigo)\b",
    "fr": r"(?i)\b(tu|te|toi|ton|ta|tes)\b",
    "nl": r"(?i)\b(je|jij|jou|jouw)\b",
    "nl-x-informal": r"(?i)\b(u|uw|uzelf)\b",
}
FORMAL = {"de-x-informal": "de", "nl-x-informal": "nl"}

every_language = pytest.mark.parametrize("language", LANGUAGES)
every_translation = pytest.mark.parametrize("language", OTHER_ADDRESS)
every_informal = pytest.mark.parametrize("language", FORMAL)


def file_of(language, name="django.po", folder=PACKAGE):
    return folder / "locale" / to_locale(language) / "LC_MESSAGES" / name


def catalogue(language, folder=PACKAGE):
    return polib.pofile(str(file_of(language, folder=folder)))


def without_tags(text):
    return re.sub(r"<[^>]*>", "", text)  # `dir` is a word of German


def texts(entry):
    return [entry.msgstr, *entry.msgstr_plural.values()][bool(entry.msgid_plural) :]


def sources(entry):
    return entry.msgctxt, frozenset({entry.msgid, entry.msgid_plural or entry.msgid})


def kept(text):
    return sorted(IN_TEMPLATES.findall(text))


def test_the_documented_languages_exist():
    folders = sorted(path.name for path in (PACKAGE / "locale").iterdir())

    assert folders == [to_locale(each) for each in LANGUAGES]


@every_language
def test_every_string_is_translated(language):
    entries = list(catalogue(language))

    assert entries
    assert [each.msgid for each in entries if not all(texts(each))] == []
    assert [each.msgid for each in entries if each.fuzzy or each.obsolete] == []


@every_language
def test_no_string_is_missing(language, tmp_path, monkeypatch):
    if not REQUIRED and shutil.which("xgettext") is None:
        pytest.skip("needs GNU gettext")
    copy = shutil.copytree(PACKAGE, tmp_path / "package")
    monkeypatch.chdir(copy)
    call_command(
        "makemessages", locale=[to_locale(language)], no_obsolete=True, verbosity=0
    )

    extracted = {(each.msgid, each.msgid_plural) for each in catalogue(language, copy)}
    assert extracted == {
        (each.msgid, each.msgid_plural) for each in catalogue(language)
    }


@every_language
def test_a_translation_keeps_what_is_filled_in_and_marked_up(language):
    for entry in catalogue(language):
        wanted = [kept(each) for each in sources(entry)[1]]
        assert all(kept(each) in wanted for each in texts(entry))


@every_language
def test_the_compiled_catalogues_are_up_to_date(language):
    path = str(file_of(language, "django.mo"))

    compiled = [(sources(each), texts(each)) for each in polib.mofile(path)]
    written = [(sources(each), texts(each)) for each in catalogue(language)]
    assert sorted(compiled, key=repr) == sorted(written, key=repr)


@every_language
def test_no_other_catalogue_overrides_ours(language):
    """Django merges the translations of all apps, and others may differ."""
    with translation.override(language):
        for each in (each for each in catalogue(language) if not each.msgid_plural):
            said = translation.pgettext(each.msgctxt or "", each.msgid)
            if not each.msgctxt:
                said = translation.gettext(each.msgid)
            assert said == each.msgstr


@every_translation
def test_a_catalogue_keeps_to_one_form_of_address(language):
    words = "\n".join(text for each in catalogue(language) for text in texts(each))

    assert re.findall(OTHER_ADDRESS[language], without_tags(words)) == []


@every_informal
def test_a_text_addresses_the_visitor_in_both_forms_or_in_none(language):
    """A formal text with "u" or "Sie" has a text of its own in the informal form."""
    formal = OTHER_ADDRESS[language]
    informal = {sources(each): texts(each) for each in catalogue(language)}

    addressed = [
        each
        for each in catalogue(FORMAL[language])
        if re.search(formal, without_tags(" ".join(texts(each))))
    ]

    assert addressed
    assert [each for each in addressed if informal[sources(each)] == texts(each)] == []


@every_language
def test_singular_and_plural_differ(language):
    with translation.override(language):
        one, two = in_words(1), in_words(2)

    assert one.removeprefix("1") != two.removeprefix("2")


@pytest.fixture
def pages(client, contact, settings, piggy_sandbox):
    """Return a function that returns every page of the flow in a language."""
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.middleware.locale.LocaleMiddleware",
    ]
    settings.LANGUAGES = [*settings.LANGUAGES, *((each, each) for each in FORMAL)]

    def walk(language):
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
        return every_page(client, piggy_sandbox, settings)

    # The middleware leaves its last language active.
    with translation.override("en"):
        yield walk


@every_translation
def test_no_page_shows_a_string_of_another_language(pages, language):
    foreign = {
        each.msgid
        for each in catalogue(language)
        if len(each.msgid.split()) > 1 and "%(" not in each.msgid
    }

    for page in pages(language):
        assert f'<html lang="{language}" dir="ltr">' in page.text
        assert [each for each in foreign if each in page.text] == []
        assert re.findall(OTHER_ADDRESS[language], without_tags(page.text)) == []


@pytest.mark.parametrize("language", ["ar", "he"])
def test_a_page_reads_from_right_to_left_where_its_language_does(pages, language):
    for page in pages(language):
        assert f'<html lang="{language}" dir="rtl">' in page.text


def test_scripts_get_messages_in_their_language(client, db):
    with translation.override("nl"):
        answer = client.post("/login/", headers={"accept": "application/json"})

    assert answer.json()["error"]["message"] == "Vul uw e-mailadres in."
