"""Check that every page shows the brand of the settings."""

import logging

import pytest
from django.test import override_settings

from tests.every_page import every_page

BRAND = {"name": "Molenaar Bakery", "logo": "admin/img/icon-yes.svg", "url": "/shop/"}
MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"


@pytest.fixture
def header(client, settings):
    """Return a function that returns the header of the first page, for a brand."""

    def read(**brand):
        settings.PIGGY_VERIFY_BRAND = brand
        page = client.get("/login/").text
        return page.partition("<body")[2].partition("<main")[0]

    return read


def test_every_page_shows_the_brand_and_has_it_in_the_title(
    client, contact, piggy_sandbox, settings
):
    settings.PIGGY_VERIFY_BRAND = BRAND

    for page in every_page(client, piggy_sandbox, settings):
        assert " – Molenaar Bakery</title>" in page.text
        assert page.text.count('class="piggy-verify-brand"') == 1
        assert '<a href="/shop/"><img src="/static/admin/img/icon-yes.svg"' in page.text
        assert "<span>Molenaar Bakery</span></a>" in page.text


def test_without_a_brand_a_page_has_no_header(header, client):
    assert "header" not in header()
    assert "<title>Log in</title>" in client.get("/login/").text


@pytest.mark.parametrize(
    ("brand", "shown", "hidden"),
    [
        ({"name": "Bakery"}, "<span>Bakery</span>", ["<a", "<img"]),
        ({"name": "Bakery", "url": "/"}, '<a href="/"><span>', ["<img"]),
        ({"logo": "shop/a.svg"}, '<img src="/static/shop/a.svg" alt="">', ["<a"]),
        ({"logo": "shop/a.svg", "url": "/"}, 'alt="Home page"></a>', ["<span"]),
        ({"url": "/"}, "", ["<a", "<header"]),
    ],
    ids=["name", "linked name", "logo", "linked logo", "url"],
)
def test_each_part_of_the_brand_is_optional(header, brand, shown, hidden):
    found = header(**brand)

    assert shown in found
    assert [each for each in hidden if each in found] == []


def test_markup_in_the_brand_is_escaped(header, client):
    found = header(name="<b>Crumb & Co</b>", url='/"><script>')

    assert "&lt;b&gt;Crumb &amp; Co&lt;/b&gt;" in found
    assert "<script>" not in found
    assert "– &lt;b&gt;Crumb &amp; Co&lt;/b&gt;</title>" in client.get("/login/").text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " JavaScript:a//", "data:,", None]
)
def test_a_url_that_is_no_web_page_is_no_link(header, url):
    assert "<a" not in header(name="Bakery", url=url)


@pytest.mark.parametrize("logo", ["shop/missing.svg", "../secrets.svg"])
def test_a_logo_that_is_no_static_file_is_left_out_and_logged(
    header, settings, caplog, tmp_path, logo
):
    settings.STATIC_ROOT = tmp_path
    caplog.set_level(logging.WARNING, "django_piggy_verify")
    # The header needs no other static file.
    with override_settings(STORAGES={"staticfiles": {"BACKEND": MANIFEST}}):
        settings.TEMPLATES = [_without_assets(settings.TEMPLATES[0], tmp_path)]
        found = header(name="Bakery", logo=logo)

    assert "<span>Bakery</span>" in found
    assert "<img" not in found
    [record] = caplog.records
    assert (record.event_name, record.path) == ("logo_missing", logo)


def _without_assets(engine, folder):
    page = folder / "piggy_verify" / "email.html"
    page.parent.mkdir()
    page.write_text(
        '{% extends "piggy_verify/base.html" %}'
        "{% block stylesheets %}{% endblock %}{% block scripts %}{% endblock %}"
    )
    return {**engine, "DIRS": [folder]}
