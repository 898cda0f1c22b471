"""Log in to projects with other users, databases, servers and logins."""

import itertools
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.shapes.projects import BOSS, PASSWORD, SHAPES, Projects, Visitor
from tests.steps import calls

every_shape = pytest.mark.parametrize("shape", SHAPES)
every_shape_with_admin = pytest.mark.parametrize(
    "shape", [name for name, each in SHAPES.items() if each.settings != "card_user"]
)
numbers = itertools.count()


@pytest.fixture(scope="module")
def projects(tmp_path_factory, piggy_sandbox_server, django_db_blocker):
    folder = tmp_path_factory.mktemp("projects")
    with (
        django_db_blocker.unblock(),
        Projects(folder, piggy_sandbox_server.base_url) as projects,
    ):
        yield projects


@pytest.fixture
def visit(projects, piggy_sandbox):
    """Return a function that makes a visitor of a project, by default a new member."""

    def visit(shape, address=None):
        if address is None:
            address = piggy_sandbox.add_contact(f"m{next(numbers)}@example.com").email
        return Visitor(projects[shape], piggy_sandbox, address)

    return visit


@every_shape
def test_the_checks_of_a_project_pass(projects, shape):
    printed = projects[shape].console.read_text()

    assert "System check identified no issues" in printed
    assert "No changes detected" in printed


@every_shape
def test_a_member_logs_in_and_arrives_where_the_link_led(visit, shape):
    member = visit(shape)

    page = member.log_in("members/?page=2")

    assert page.url == f"{member.project.url}members/?page=2"
    assert "user " in page.text


@every_shape
def test_the_second_login_is_the_same_user(visit, shape):
    first = visit(shape)
    first.log_in()
    second = visit(shape, first.address)

    second.log_in()

    assert first.user() == second.user()


@every_shape
def test_another_member_is_another_user(visit, shape):
    ann, bob = visit(shape), visit(shape)
    ann.log_in()
    bob.log_in()

    assert ann.user() != bob.user()


@every_shape
def test_a_member_who_logged_out_has_to_log_in_again(visit, shape):
    member = visit(shape)
    member.log_in()

    member.log_out()

    assert member.user() is None
    assert "/login/?next=" in member.get("members/").url


@every_shape
def test_a_stranger_is_redirected_like_a_contact(visit, shape):
    member, stranger = visit(shape), visit(shape, f"s{next(numbers)}@example.com")

    pages = [each.ask() for each in (member, stranger)]

    assert pages[0].url == pages[1].url == f"{member.project.url}login/code/"
    assert pages[0].status_code == pages[1].status_code == 200


# Connections --------------------------------------------------------------------


def connect(member, address):
    member.address = address
    page = member.submit("login/connect/", email=address)
    return member.type(page, member.mailed_code())


@every_shape
def test_a_member_connects_the_own_contact_again(visit, shape):
    member = visit(shape)
    member.log_in()

    page = connect(member, member.address)

    assert page.url == f"{member.project.url}login/connect/"
    assert member.address in page.text


@every_shape
def test_a_member_cannot_connect_the_contact_of_another_member(visit, shape):
    ann, bob = visit(shape), visit(shape)
    ann.log_in()
    bob.log_in()

    page = connect(ann, bob.address)

    assert page.status_code == 409
    assert bob.address not in ann.get("login/connect/").text


@every_shape
def test_a_member_cannot_disconnect_the_only_way_in(visit, shape):
    member = visit(shape)
    member.log_in()

    page = member.submit("login/connect/")

    assert page.url == f"{member.project.url}login/connect/disconnect/"
    assert page.status_code == 409
    assert member.address in member.get("login/connect/").text


# The admin ----------------------------------------------------------------------


@pytest.fixture
def visit_as_staff(visit):
    def visit_as_staff(shape):
        boss = visit(shape, BOSS)
        page = boss.submit("admin/login/", username=BOSS, password=PASSWORD)
        return boss, page

    return visit_as_staff


@every_shape_with_admin
def test_staff_log_in_by_password_at_the_admins_own_page(visit_as_staff, shape):
    boss, page = visit_as_staff(shape)

    assert page.status_code == 200
    assert page.url.endswith(("/members/", "/admin/"))
    assert boss.get("admin/").url == f"{boss.project.url}admin/"


@every_shape_with_admin
def test_the_admin_lists_the_contacts(visit, visit_as_staff, shape):
    member = visit(shape)
    member.log_in()
    boss, _page = visit_as_staff(shape)

    listed = boss.get("admin/piggy_verify/contact/")

    assert member.address in listed.text


@every_shape_with_admin
def test_a_contact_does_not_reach_the_admin(visit, shape):
    member = visit(shape)
    member.log_in()

    page = member.get("admin/")

    assert "/admin/login/" in page.url
    assert 'name="password"' in page.text


# Users whose e-mail is unique ---------------------------------------------------


def test_an_address_that_a_user_has_already_is_refused_to_a_contact(visit):
    member = visit("users by e-mail, with UUIDs", BOSS)
    member.sandbox.add_contact(BOSS)

    page = member.log_in()

    assert page.status_code == 403
    assert member.user() is None


# Several databases --------------------------------------------------------------


def test_a_user_who_is_refused_leaves_nothing_behind_in_another_database(visit):
    refused = visit("three databases", "no@example.com")
    refused.sandbox.add_contact(refused.address)
    before = refused.get("count/").text

    page = refused.log_in()

    assert page.status_code == 403
    assert refused.get("count/").text == before


def test_members_who_log_in_at_once_wait_for_each_other_in_other_databases(visit):
    members = [visit("three databases") for _ in range(12)]
    pages = [each.ask() for each in members]

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(type_mailed_code, members, pages))

    assert all(each.user() for each in members)


def type_mailed_code(member, page):
    return member.type(page, member.mailed_code())


# Servers ------------------------------------------------------------------------


def test_limits_are_exact_over_all_workers(visit):
    """The limit is 10 wrong codes for an address in an hour."""
    victim = visit("gunicorn")
    guessers = [visit("gunicorn", victim.address) for _ in range(6)]
    pages = [each.ask() for each in guessers]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(guess, guessers, pages))

    workers = {each.headers["X-Worker"] for row in answers for each in row}
    assert len(workers) > 1
    assert calls(victim.sandbox).count("verify") == 10


def guess(visitor, page):
    return [visitor.type(page, f"wrong {next(numbers)}") for _ in range(4)]


def test_a_login_that_one_worker_has_begun_is_ended_by_another(visit):
    member = visit("gunicorn")
    page = member.ask()
    code = member.mailed_code()
    worker = page.headers["X-Worker"]
    os.kill(int(worker), signal.SIGKILL)

    page = member.type(page, code)

    assert page.url.endswith("/members/")
    assert page.headers["X-Worker"] != worker


@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
def test_cookies_stay_below_the_prefix(visit, server):
    member = visit(f"{server} below a prefix")

    member.log_in()

    assert {each.path for each in member.browser.cookies} == {"/shop/"}


# Other logins -------------------------------------------------------------------


@pytest.fixture
def owner(visit):
    """The owner of an account of allauth, logged out."""
    owner = visit("allauth and axes", f"owner{next(numbers)}@example.com")
    typed = {"username": owner.address, "password1": PASSWORD, "password2": PASSWORD}
    owner.submit("accounts/signup/", **typed)
    owner.log_out()
    return owner


def log_in_by_password(owner):
    return owner.submit("accounts/login/", login=owner.address, password=PASSWORD)


def test_an_account_of_allauth_keeps_its_password(owner):
    page = log_in_by_password(owner)

    assert page.url.endswith("/members/")
    assert owner.user()


def test_wrong_codes_do_not_lock_the_account_of_allauth(owner, visit):
    member = visit("allauth and axes")
    page = member.ask()
    answers = [member.type(page, "wrong") for _ in range(3)]

    log_in_by_password(owner)

    assert answers[-1].status_code == 429
    assert owner.user()


def test_a_member_can_log_out_on_the_page_of_allauth(visit):
    member = visit("allauth and axes")
    member.log_in()

    member.submit("accounts/logout/")

    assert member.user() is None
