"""Follow the guide for template authors."""

import re

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from docutils import nodes

from tests.documentation.pages import DOCS, blocks_of, parsed, run, table
from tests.documentation.test_readme import PACKAGE
from tests.every_page import every_page
from tests.steps import ADDRESS, JSON, ask_for_code, is_logged_in, type_code

PAGE = parsed(DOCS / "howto" / "templates.rst")
REFERENCE = parsed(DOCS / "reference" / "templates.rst")
HANDED = {
    name: row[0] for name, row in table([REFERENCE], "Template of a page").items()
}
CONTEXT = {name: set(re.findall(r"\w+", text)) for name, text in HANDED.items()}
# Projects override these blocks, so they must stay.
BLOCKS = {
    "base.html": [
        "title",
        "stylesheets",
        "scripts",
        "head",
        "header",
        "brand",
        "content",
        "help",
        "footer",
    ],
    "email.html": [
        "title",
        "content",
        "notice",
        "errors",
        "heading",
        "intro",
        "form",
        "other",
    ],
    "code.html": [
        "title",
        "content",
        "notice",
        "errors",
        "heading",
        "intro",
        "form",
        "resend",
        "cancel",
    ],
    "limited.html": [
        "title",
        "content",
        "heading",
        "intro",
        "advice",
        "actions",
        "step",
        "leave",
    ],
    "unavailable.html": ["title", "content", "heading", "intro", "wait", "actions"],
    "unsent.html": ["title", "content", "heading", "intro", "wait", "actions"],
    "spent.html": ["title", "content", "heading", "intro", "wait", "actions"],
    "portal_unavailable.html": ["title", "heading", "intro"],
    "refused.html": ["title", "content", "heading", "intro", "actions"],
    "interrupted.html": ["title", "content", "heading", "intro", "actions"],
    "connect.html": [
        "title",
        "content",
        "notice",
        "errors",
        "heading",
        "contacts",
        "intro",
        "form",
        "other",
    ],
    "connect_code.html": ["form"],
    "connect_link.html": [
        "title",
        "content",
        "notice",
        "heading",
        "intro",
        "form",
        "resend",
        "cancel",
    ],
    "connect_conflict.html": ["title", "content", "heading", "intro", "actions"],
    "connect_limited.html": ["intro", "advice", "step", "leave"],
    "connect_unavailable.html": ["title", "heading"],
    "connect_unsent.html": ["title", "heading", "intro"],
    "connect_spent.html": ["title", "heading"],
    "connect_refused.html": ["title", "content", "heading", "intro", "actions"],
    "login_required.html": ["title", "content", "heading", "intro", "actions"],
    "_errors.html": ["none"],
    "_fields.html": ["none"],
    "_resend.html": ["none"],
}
PAGES = [name for name in BLOCKS if name != "base.html" and name[0] != "_"]
NOT_OURS = {"True", "False", "None", "view", "block", "csrf_token", "request", "user"}
NOT_OURS |= {
    "perms",
    "messages",
    "DEFAULT_MESSAGE_LEVELS",
    "language",
    "is_rtl",
    "brand",
}


@pytest.fixture
def project(settings, tmp_path):
    """Return a function that writes a file into the folder of a project."""
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path / "templates"]}]

    def put(name, text):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    return put


@pytest.fixture
def example(project):
    """Return a function that writes the files of a section of the guide."""

    def put(title):
        [section] = [
            each for each in PAGE.findall(nodes.section) if each[0].astext() == title
        ]
        for block in section.findall(nodes.literal_block):
            first, _, text = block.astext().partition("\n")
            project(first.split()[1], text)

    return put


@pytest.fixture
def pages(client, contact, piggy_sandbox, settings):
    """Return a function that visits all pages and returns the last of each template."""

    def walk():
        seen = every_page(client, piggy_sandbox, settings)
        return {each.templates[0].name.partition("/")[2]: each for each in seen}

    return walk


def test_every_template_is_listed_with_the_blocks_that_stay():
    listed = {
        name: row[0].split() for name, row in table([REFERENCE], "Template").items()
    }

    assert {name: set(found) for name, found in listed.items()} == {
        name: set(found) for name, found in BLOCKS.items()
    }


def test_the_tour_shows_every_page(pages):
    assert set(pages()) == set(PAGES)


def test_the_context_is_what_is_listed(pages):
    for name, page in pages().items():
        assert set(page.context[0].flatten()) - NOT_OURS == CONTEXT[name], name


@pytest.fixture
def replace(project):
    """Return a function that replaces a block of some templates by their names."""

    def replace(block, names):
        for name in names:
            source = "{%% extends '%s' %%}{%% block %s %%}MINE:%s{%% endblock %%}"
            path = f"piggy_verify/{name}"
            project(f"templates/{path}", source % (path, block, name))

    return replace


@pytest.mark.parametrize("block", BLOCKS["base.html"])
def test_each_block_of_the_base_can_be_replaced(replace, pages, block):
    replace(block, ["base.html"])

    filled_by_pages = block in {"title", "content"}
    for page in pages().values():
        assert ("MINE:base.html" in page.text) is not filled_by_pages


@pytest.mark.parametrize(
    "block", sorted({each for name in PAGES for each in BLOCKS[name]})
)
def test_each_block_of_a_page_can_be_replaced(replace, pages, block):
    names = [name for name in PAGES if block in BLOCKS[name]]
    replace(block, names)

    shown = pages()
    assert [name for name in names if f"MINE:{name}" not in shown[name].text] == []


def test_the_pages_fit_into_a_layout_of_the_project(example, pages):
    example("In your own layout")

    for page in pages().values():
        assert "- Our shop</title>" in page.text
        assert '<nav><a href="/">Our shop</a></nav>' in page.text
        assert page.text.count("<h1>") == 1


def test_a_single_block_changes_and_the_rest_stays(example, pages):
    example("Block by block")

    shown = pages()
    assert "<h1>Welcome to the club</h1>" in shown["email.html"].text
    assert "Email address</label>" in shown["email.html"].text
    for page in shown.values():
        assert f'<a href="{reverse("admin:login")}">Staff log in here</a>' in page.text


def test_the_colours_of_a_project_come_after_ours(example, pages):
    example("In your own colours")

    for page in pages().values():
        sheets = re.findall(r'rel="stylesheet" href="(.+?)"', page.text)
        assert sheets == [
            "/static/piggy_verify/piggy_verify.css",
            "/static/shop/login.css",
        ]


def test_every_custom_property_is_listed_and_no_other():
    sheet = (PACKAGE / "static" / "piggy_verify" / "piggy_verify.css").read_text()

    assert set(table([PAGE], "Property")) == set(
        re.findall(r"--piggy-verify-[\w-]+", sheet)
    )


def test_templates_of_the_project_alone_log_in(example, client, contact, piggy_sandbox):
    example("Pages of your own")
    ask_for_code(client)
    page = client.get("/login/code/")
    type_code(client, "wrong", login=page.context["login"])

    code = piggy_sandbox.last_code(ADDRESS)
    type_code(client, code, login=page.context["login"])

    assert "What does the mail say?" in page.text
    assert is_logged_in(client)


def test_templates_of_the_project_alone_connect_and_disconnect(
    example, client, contact, piggy_sandbox, settings
):
    settings.PIGGY_VERIFY_CONNECT = True
    example("Pages of your own")
    user = User.objects.create_user("shopper", password="secret-words")
    client.force_login(user, settings.AUTHENTICATION_BACKENDS[0])

    post_form(client, "/login/connect/", "Mail me a code", email=ADDRESS)
    code = piggy_sandbox.last_code(ADDRESS)
    post_form(client, "/login/connect/code/", "Let me in", code=code)
    is_connected = user.piggy_contacts.filter(email=ADDRESS).exists()
    post_form(client, "/login/connect/", "Disconnect")

    assert is_connected
    assert not user.piggy_contacts.exists()


def post_form(browser, page, button, **fields):
    """Post the form with this button, as a browser does."""
    forms = re.findall(r"<form.*?</form>", browser.get(page).text, re.DOTALL)
    [form] = [each for each in forms if f"<button>{button}</button>" in each]
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
    [action] = re.findall(r'action="([^"]*)"', form)
    return browser.post(action, dict(hidden) | fields)


@pytest.fixture
def own_views(settings, db):
    """The views of the example in the guide."""
    [source] = blocks_of(parsed(DOCS / "howto" / "views.rst"), "python")
    settings.ROOT_URLCONF = tuple(run(source)["urlpatterns"])


def test_a_form_of_the_project_words_the_fields(own_views, client, contact):
    ask_for_code(client)
    page = type_code(client, "wrong").text

    assert ">Six digits</label>" in page
    assert 'inputmode="numeric"' in page
    assert "That is not the code." in page


def test_a_view_of_the_project_changes_the_messages_for_scripts(
    own_views, client, contact, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}
    ask_for_code(client)

    answer = client.post("/login/", {"email": "b@example.com"}, headers=JSON)

    assert answer.json()["error"]["message"] == "Wait for 60 minutes."
