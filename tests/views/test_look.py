"""Check what the pages show first, what they focus, and what they weigh."""

from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string

from django_piggy_verify.durations import clock
from django_piggy_verify.forms import CodeForm
from tests import consenting
from tests.every_page import every_page
from tests.steps import ask_for_code, type_code

BUDGET = 20_000
ASSETS = ["piggy_verify/piggy_verify.css", "piggy_verify/piggy_verify.js"]
OPEN = '<details class="piggy-verify-more" open>'
CLOSED = '<details class="piggy-verify-more">'
WRONG = "The code is wrong or has expired."


@pytest.fixture
def waiting(client, contact, time_machine):
    """A client that has just asked for a code."""
    time_machine.move_to(0, tick=False)
    ask_for_code(client)
    return client


def size_of(asset):
    path = finders.find(asset)
    assert path is not None
    return Path(path).stat().st_size


def test_every_page_weighs_less_than_20_kilobytes_with_its_files(
    client, contact, piggy_sandbox, settings
):
    weight = sum(map(size_of, ASSETS))

    heaviest = max(
        len(page.content) for page in every_page(client, piggy_sandbox, settings)
    )

    assert weight + heaviest < BUDGET


# The help for a visitor who has got no code


def test_the_help_is_folded_while_the_code_may_be_on_its_way(waiting):
    page = waiting.get("/login/code/").text

    assert CLOSED in page
    assert OPEN not in page


def test_the_help_is_open_when_another_code_can_be_asked_for(waiting, time_machine):
    time_machine.shift(60)

    assert OPEN in waiting.get("/login/code/").text


@pytest.mark.parametrize("typed", ["wrong", ""])
def test_the_help_is_open_after_an_error(waiting, typed):
    assert OPEN in type_code(waiting, typed).text


def test_the_help_is_open_after_a_request_that_came_too_early(waiting):
    page = waiting.post("/login/code/resend/", follow=True).text

    assert OPEN in page
    assert "We have not sent another code yet." in page
    assert "a code is on its way to" in page


def test_the_button_that_does_nothing_yet_says_when_it_will(waiting, time_machine):
    time_machine.shift(18)

    page = waiting.get("/login/code/").text

    assert (
        'aria-disabled="true" data-piggy-verify-ready="Send a new code">'
        'New code in <time datetime="PT42S">0:42</time></button>'
    ) in page


def test_the_button_that_sends_says_so(waiting, time_machine):
    time_machine.shift(60)

    page = waiting.get("/login/code/").text

    assert ">Send a new code</button>" in page
    assert "aria-disabled" not in page


def test_the_button_of_a_link_speaks_of_a_link():
    context = {"channel": "link", "resend_in": 90}

    form = render_to_string("piggy_verify/_resend.html", context)

    assert 'data-piggy-verify-ready="Send a new link"' in form
    assert 'New link in <time datetime="PT90S">1:30</time>' in form


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (1, "0:01"),
        (59, "0:59"),
        (60, "1:00"),
        (3599, "59:59"),
        (3600, "1:00:00"),
        (86399, "23:59:59"),
    ],
)
def test_a_clock_shows_minutes_and_hours(seconds, shown):
    assert clock(seconds) == shown


# Errors and the focus


def test_the_error_of_the_only_field_stands_once_and_the_field_has_the_focus(waiting):
    page = type_code(waiting, "wrong").text

    assert page.count(WRONG) == 1
    assert page.index("id_code") < page.index(WRONG)
    assert "There is a problem" not in page
    assert page.count("autofocus") == 1
    assert "autofocus" in page.partition('name="code"')[2].partition(">")[0]


def test_errors_of_a_form_with_more_fields_are_listed_and_the_list_has_the_focus(
    client, settings
):
    consenting.use(settings)

    page = consenting.ask(client, phone="6", consent_terms="").text

    assert page.count("Agree to the terms and conditions.") == 2
    assert page.count("autofocus") == 1
    assert "autofocus" in page.partition("piggy-verify-errors")[2].partition(">")[0]


@pytest.mark.parametrize(
    ("url", "field"), [("/login/", "email"), ("/login/code/", "code")]
)
def test_the_first_field_has_the_focus(waiting, url, field):
    page = waiting.get(url).text

    assert page.count("autofocus") == 1
    assert "autofocus" in page.partition(f'name="{field}"')[2].partition(">")[0]


def test_a_page_that_begins_with_a_list_has_no_focus(client, admin_user, settings):
    settings.PIGGY_VERIFY_CONNECT = settings.PIGGY_VERIFY_ALLOW_STAFF = True
    client.force_login(admin_user, settings.AUTHENTICATION_BACKENDS[0])

    first = client.get("/login/connect/").text
    wrong = client.post("/login/connect/", {"email": "ann"}).text

    assert "autofocus" not in first
    assert "autofocus" in wrong


# The keyboard for the code


def code_field(page):
    return page.partition('name="code"')[2].partition(">")[0]


def test_the_code_may_have_letters_unless_the_settings_say_otherwise(waiting, settings):
    first = code_field(waiting.get("/login/code/").text)
    settings.PIGGY_VERIFY_CODE_INPUTMODE = "numeric"
    second = code_field(waiting.get("/login/code/").text)

    assert 'inputmode="text"' in first
    assert 'inputmode="numeric"' in second


def test_a_form_of_the_project_keeps_its_own_keyboard(rf, waiting):
    form = waiting.get("/login/code/").context["form"]

    class DecimalForm(CodeForm):
        code = type(form.fields["code"])()
        code.widget.attrs["inputmode"] = "decimal"

    own = DecimalForm(request=rf.get("/"), login=form._login)

    assert 'inputmode="decimal"' in str(own["code"])
