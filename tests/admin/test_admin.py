import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_piggy_verify.admin import base
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Rate
from django_piggy_verify.login import rate_limits
from django_piggy_verify.models import AuthToken, Contact, Tally
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.tokens import get_auth_token
from tests.db.between_statements import DEADLOCK, before_the_next, raising
from tests.steps import ADDRESS, STRANGER, UNLIMITED, ask_for_code, calls, type_code

CHANGELIST = "/admin/piggy_verify/contact/"
COUNTS = "/admin/piggy_verify/tally/"
ACTIONS = ["forget_tokens", "unlock"]
SENDS = ["send_recipient", "send_recipient_day", "send_ip"]
HOSTILE = "<script>alert(1)</script>@example.com"


@pytest.fixture
def contact_page(admin_client, member):
    return f"{CHANGELIST}{member.piggy_contacts.get().pk}/change/"


@pytest.fixture
def staff(db):
    """Return a browser of a staff user with these permissions on contacts."""

    def log_in(*verbs):
        member = User.objects.create_user("+".join(verbs), is_staff=True)
        codenames = [f"{verb}_contact" for verb in verbs]
        member.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        browser = Client()
        browser.force_login(member, "django.contrib.auth.backends.ModelBackend")
        return browser

    return log_in


def act(browser, action, **fields):
    selected = Contact.objects.values_list("pk", flat=True)
    data = {"action": action, "_selected_action": list(selected), **fields}
    return browser.post(CHANGELIST, data, follow=True)


def rows(page):
    """Return the rows of a list, each with the texts of its cells."""
    return [re.findall(r">([^<>]+)</", row) for row in body(page).split("<tr>")[1:]]


def body(page):
    return page.text.partition("<tbody>")[2].partition("</tbody>")[0]


def count(limit="check_ip", subject="ann", number=1, period=60):
    for _ in range(number):
        fixed_windows.take(
            [fixed_windows.claim(limit, subject, rate=Rate(number, period))]
        )


def listed(page):
    return {fixed_windows.limit_of(each.key) for each in page.context["cl"].result_list}


def end_all():
    Tally.objects.update(ends_at=timezone.now())


def statements(browser, url):
    with CaptureQueriesContext(connection) as captured:
        browser.get(url)
    return len(captured)


@pytest.mark.parametrize("term", [ADDRESS, "ANN@Example.com", f" {ADDRESS} ", ""])
def test_contacts_are_found_by_address(admin_client, member, term):
    page = admin_client.get(CHANGELIST, {"q": term})

    assert ADDRESS in body(page)
    assert "fresh" in body(page)


@pytest.mark.parametrize("stored", ["Ann.Smith@xn--bcher-kva.example", "Imported"])
def test_contacts_are_found_whatever_the_case_of_their_address(
    admin_client, member, stored
):
    Contact.objects.update(email=stored)

    page = admin_client.get(CHANGELIST, {"q": stored.lower()})

    assert stored in body(page)


def test_contacts_are_found_by_an_address_with_an_umlaut(admin_client, member):
    Contact.objects.update(email="ann@xn--bcher-kva.example")

    page = admin_client.get(CHANGELIST, {"q": "ann@bücher.example"})

    assert "ann@xn--bcher-kva.example" in body(page)


@pytest.mark.parametrize("term", ["ann", "example.com", "bob@example.com", "%"])
def test_contacts_are_not_found_by_a_part_of_their_address(admin_client, member, term):
    page = admin_client.get(CHANGELIST, {"q": term})

    assert rows(page) == []


def test_the_member_who_logged_in_last_comes_first(admin_client, member):
    add_contacts(2)
    Contact.objects.filter(uid="1").update(verified_at=timezone.now() + timedelta(1))

    listed = admin_client.get(CHANGELIST).context["cl"].result_list

    assert [each.uid for each in listed][:2] == ["1", "0"]


def test_a_filter_offers_providers_where_there_are_several(admin_client, member):
    add_contacts(2)
    assert "provider=" not in admin_client.get(CHANGELIST).text

    Contact.objects.filter(uid="1").update(provider="north")

    assert "provider=north" in admin_client.get(CHANGELIST).text
    page = admin_client.get(CHANGELIST, {"provider": "north"})
    assert [each.uid for each in page.context["cl"].result_list] == ["1"]


# Large tables


@pytest.fixture
def of_two(monkeypatch, admin_client, member):
    """A list that shows two of three contacts."""
    monkeypatch.setattr(base, "LISTED", 2)
    add_contacts(2)
    return admin_client


def test_a_list_that_is_cut_says_so(of_two):
    assert "The list ends here." in of_two.get(CHANGELIST).text
    assert of_two.get(CHANGELIST).context["cl"].result_count == 2

    Contact.objects.filter(uid="1").delete()

    assert "The list ends here." not in of_two.get(CHANGELIST).text
    assert of_two.get(CHANGELIST).context["cl"].result_count == 2


def test_all_that_are_selected_are_all_that_are_listed(of_two):
    page = act(of_two, "forget_tokens", select_across="1")

    assert "2 auth tokens were forgotten." in page.text


def plans(browser, url, data):
    """Return how SQLite finds and sorts the rows of a page, line by line."""
    with CaptureQueriesContext(connection) as captured:
        browser.get(url, data)
    found = []
    with connection.cursor() as cursor:
        for sql in (each["sql"] for each in captured):
            # What is counted is cut at `LISTED` rows.
            if "piggy_verify_" in sql and not sql.startswith("SELECT COUNT"):
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
                found += [row[-1] for row in cursor.fetchall()]
    return found


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the others have other words")
@pytest.mark.parametrize(
    ("url", "query"),
    [
        (CHANGELIST, {}),
        (CHANGELIST, {"p": "2"}),
        (CHANGELIST, {"q": "ann@example.com"}),
        (CHANGELIST, {"q": "nobody@example.com"}),
        (CHANGELIST, {"verified_at__gte": "2026-01-01 00:00:00+00:00"}),
        (COUNTS, {}),
    ],
)
def test_no_page_reads_or_sorts_a_whole_table(admin_client, member, url, query):
    found = plans(admin_client, url, query)

    assert found
    scans = [each for each in found if each.startswith("SCAN")]
    assert [each for each in scans if " USING " not in each] == []
    assert [each for each in found if "TEMP B-TREE FOR ORDER BY" in each] == []


def test_contacts_are_found_by_id(admin_client, member, contact):
    page = admin_client.get(CHANGELIST, {"q": contact.uid})

    assert ADDRESS in page.text


def test_the_token_is_never_shown(admin_client, member, contact_page):
    token = get_auth_token(member)

    pages = admin_client.get(CHANGELIST).text + admin_client.get(contact_page).text

    assert token not in pages
    assert token[:40] not in pages


def test_the_ciphertext_stays_in_the_database(admin_client, contact_page):
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(CHANGELIST)
        admin_client.get(contact_page)

    assert "ciphertext" not in str(captured.captured_queries)


def test_an_expired_token_is_shown_as_expired(admin_client, member):
    AuthToken.objects.update(expires_at=timezone.now())

    assert "expired" in body(admin_client.get(CHANGELIST))


def test_an_expiring_token_is_shown_as_expiring(admin_client, member):
    AuthToken.objects.update(expires_at=timezone.now() + timedelta(seconds=20))

    assert "expiring" in body(admin_client.get(CHANGELIST))


def test_a_missing_token_is_shown_as_missing(admin_client, member):
    AuthToken.objects.all().delete()

    assert "none" in body(admin_client.get(CHANGELIST))


@pytest.mark.parametrize(
    ("state", "is_found"),
    [("fresh", True), ("expiring", False), ("none", False), ("nonsense", True)],
)
def test_contacts_are_found_by_the_state_of_their_token(
    admin_client, member, state, is_found
):
    page = admin_client.get(CHANGELIST, {"token": state})

    assert (ADDRESS in body(page)) == is_found


def test_a_hostile_address_is_escaped(admin_client, contact_page):
    Contact.objects.update(email=HOSTILE, uid=HOSTILE)

    for url in (CHANGELIST, contact_page):
        page = admin_client.get(url)
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert" in page.text


def test_nothing_can_be_added_or_changed(admin_client, contact_page):
    assert admin_client.get(f"{CHANGELIST}add/").status_code == 403
    assert admin_client.post(contact_page, {"uid": "x"}).status_code == 403


def test_a_contact_can_be_deleted(admin_client, member, contact_page):
    url = contact_page.replace("change", "delete")

    admin_client.post(url, {"post": "yes"})

    assert not member.piggy_contacts.exists()


def test_the_list_takes_the_same_queries_for_any_number_of_contacts(
    admin_client, member
):
    admin_client.get(CHANGELIST)
    before = statements(admin_client, CHANGELIST)

    add_contacts(9)

    assert statements(admin_client, CHANGELIST) == before <= 9


def add_contacts(number):
    now = timezone.now()
    for each in range(number):
        user = User.objects.create_user(f"member {each}")
        contact = Contact.objects.create(
            user=user, provider="piggy", uid=each, verified_at=now
        )
        AuthToken.objects.create(contact=contact, fetched_at=now, expires_at=now)


def test_tokens_that_are_forgotten_are_gone(admin_client, member):
    page = act(admin_client, "forget_tokens")

    assert "1 auth token was forgotten." in page.text
    assert not AuthToken.objects.exists()


def test_the_action_reports_how_many_tokens_it_dropped(admin_client, member):
    add_contacts(2)

    page = act(admin_client, "forget_tokens")

    assert "3 auth tokens were forgotten." in page.text


def test_an_unlocked_member_can_try_again(admin_client, user, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {"send_recipient": "1/1h"}
    assert ask_for_code(Client()).status_code == 429

    act(admin_client, "unlock")

    assert ask_for_code(Client()).status_code == 302


def test_unlocking_clears_what_the_command_clears(admin_client, user):
    page = act(admin_client, "unlock")

    assert "5 limits were cleared." in page.text
    assert rate_limits.unlock(ADDRESS) == 0


def test_members_who_are_not_selected_stay_locked(admin_client, member):
    count("send_recipient", "bob@example.com")

    act(admin_client, "unlock")

    assert rate_limits.unlock("bob@example.com") == 1


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("forget_tokens", "Forgot the auth token."),
        ("unlock", "Cleared the limits of the recipient."),
    ],
)
def test_an_action_is_written_to_the_admin_log(
    admin_client, admin_user, user, action, words
):
    act(admin_client, action)

    entry = LogEntry.objects.get()
    assert (entry.user, entry.action_flag) == (admin_user, CHANGE)
    assert entry.get_edited_object() == user.piggy_contacts.get()
    assert entry.get_change_message() == words


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_that_changed_nothing_is_not_logged(admin_client, user, action):
    act(admin_client, action)
    act(admin_client, action)

    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize("action", ACTIONS)
def test_no_action_calls_the_provider(admin_client, user, piggy_sandbox, action):
    before = calls(piggy_sandbox)

    act(admin_client, action)

    assert LogEntry.objects.exists()
    assert calls(piggy_sandbox) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_staff_who_may_change_contacts_may_act(staff, user, action):
    act(staff("view", "change"), action)

    assert LogEntry.objects.exists()


def test_no_permission_lets_staff_edit_a_contact(staff, contact_page):
    page = staff("view", "change").post(contact_page, {"uid": "x"})

    assert page.status_code == 403


@pytest.mark.parametrize("action", ACTIONS)
def test_staff_who_may_only_look_cannot_act(staff, user, action):
    page = act(staff("view"), action, index=0)

    assert page.status_code == 200
    assert AuthToken.objects.exists()
    assert not LogEntry.objects.exists()
    assert rate_limits.unlock(ADDRESS) == 5


def test_staff_who_may_only_look_cannot_delete(staff, contact_page):
    url = contact_page.replace("change", "delete")

    page = staff("view").post(url, {"post": "yes"})

    assert page.status_code == 403
    assert Contact.objects.exists()


@pytest.mark.parametrize(
    ("verbs", "is_offered"), [(["view"], False), (["view", "change"], True)]
)
def test_actions_are_offered_to_those_who_may_act(staff, member, verbs, is_offered):
    page = staff(*verbs).get(CHANGELIST)

    for action in ACTIONS:
        assert (action in page.text) == is_offered


# The buttons of a contact's page


def press(browser, page, label):
    """Press a button of the form on a page, as a browser does."""
    shown = browser.get(page).text
    [url] = re.findall(rf'value="{label}" formaction="([^"]+)"', shown)
    return browser.post(url, follow=True)


BUTTONS = {
    "unlock": "Unlock: clear the limits of this recipient",
    "forget_tokens": "Forget the auth token",
}


def test_a_member_is_unlocked_on_the_contacts_page(
    admin_client, user, contact_page, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {"send_recipient": "1/1h"}
    assert ask_for_code(Client()).status_code == 429

    page = press(admin_client, contact_page, BUTTONS["unlock"])

    assert "5 limits were cleared." in page.text
    assert page.redirect_chain == [(contact_page, 302)]
    assert ask_for_code(Client()).status_code == 302


def test_a_token_is_forgotten_on_the_contacts_page(admin_client, member, contact_page):
    page = press(admin_client, contact_page, BUTTONS["forget_tokens"])

    assert "1 auth token was forgotten." in page.text
    assert not AuthToken.objects.exists()


def test_without_a_token_there_is_nothing_to_forget(admin_client, contact_page):
    assert "/forget_tokens/" in admin_client.get(contact_page).text

    AuthToken.objects.all().delete()

    page = admin_client.get(contact_page).text
    assert "/forget_tokens/" not in page
    assert "/unlock/" in page


def test_a_button_acts_on_its_own_contact_alone(admin_client, member, contact_page):
    add_contacts(2)

    press(admin_client, contact_page, BUTTONS["forget_tokens"])

    assert AuthToken.objects.count() == 2
    assert LogEntry.objects.get().get_edited_object() == member.piggy_contacts.get()


@pytest.mark.parametrize("action", BUTTONS)
def test_buttons_are_for_those_who_may_act(staff, contact_page, action):
    url = contact_page.replace("change", action)
    looking, acting = staff("view"), staff("view", "change")

    assert action not in looking.get(contact_page).text
    assert looking.post(url).status_code == 403
    assert AuthToken.objects.exists()
    assert not LogEntry.objects.exists()
    assert action in acting.get(contact_page).text
    assert acting.post(url).status_code == 302
    assert LogEntry.objects.count() == (action == "forget_tokens")


@pytest.mark.parametrize("action", BUTTONS)
def test_a_button_wants_a_post_with_a_csrf_token(contact_page, admin_user, action):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin_user, "django.contrib.auth.backends.ModelBackend")
    url = contact_page.replace("change", action)

    assert browser.get(url).status_code == 405
    assert browser.post(url).status_code == 403
    token = re.findall(
        r'csrfmiddlewaretoken" value="(\w+)"', browser.get(contact_page).text
    )
    assert browser.post(url, {"csrfmiddlewaretoken": token[-1]}).status_code == 302


def test_a_button_is_for_staff_alone(staff, contact_page):
    browser = staff("view", "change")
    User.objects.update(is_staff=False)

    page = browser.post(contact_page.replace("change", "forget_tokens"))

    assert page.url.startswith("/admin/login/")
    assert AuthToken.objects.exists()


def test_a_button_of_a_contact_who_is_gone_is_not_found(admin_client, contact_page):
    Contact.objects.all().delete()

    page = admin_client.post(contact_page.replace("change", "unlock"))

    assert page.status_code == 404


# The limits


def test_a_contacts_page_tells_how_far_the_limits_are(admin_client, user, contact_page):
    page = admin_client.get(contact_page)

    assert "codes sent to a recipient: 1 of 3, until" in page.text
    assert "wrong codes for a recipient in a day: 0 of 20<" in page.text


def test_a_contacts_page_counts_wrong_codes(admin_client, contact_page):
    stranger = Client()
    ask_for_code(stranger)
    type_code(stranger, "wrong")

    page = admin_client.get(contact_page)

    assert "wrong codes for a recipient: 1 of 10, until" in page.text


def test_a_contacts_page_hides_windows_that_are_over(admin_client, contact_page):
    end_all()

    page = admin_client.get(contact_page)

    assert "codes sent to a recipient: 0 of 3<" in page.text


def test_a_contacts_page_takes_one_query_for_all_limits(admin_client, contact_page):
    admin_client.get(contact_page)

    with CaptureQueriesContext(connection) as captured:
        admin_client.get(contact_page)

    assert sum("piggy_verify_tally" in each["sql"] for each in captured) == 1
    assert len(captured) == 6


def test_the_limits_tell_what_is_counted_of_how_many(admin_client, db):
    count("send_recipient_day", number=2)

    [[limit, number, allowed, *_]] = rows(admin_client.get(COUNTS))

    assert limit == "codes sent to a recipient in a day"
    assert (number, allowed) == ("2", "10")


def test_the_limits_do_not_name_the_member(admin_client, user):
    text = admin_client.get(COUNTS).text

    assert len(rows(admin_client.get(COUNTS))) == 8
    assert "ann" not in text
    assert "127.0.0.1" not in text


@pytest.mark.parametrize(
    ("name", "found"),
    [("send_recipient", {"send_recipient"}), ("recipient", set()), ("", set(SENDS))],
)
def test_the_limits_are_found_by_their_name(admin_client, db, name, found):
    for limit in SENDS:
        count(limit)

    page = admin_client.get(COUNTS, {"limit": name})

    assert listed(page) == found


@pytest.mark.parametrize(
    ("window", "found"),
    [("running", {"send_ip"}), ("over", {"check_ip"}), ("", {"send_ip", "check_ip"})],
)
def test_the_limits_are_found_by_their_window(
    admin_client, db, time_machine, window, found
):
    time_machine.move_to(timezone.now(), tick=False)
    count("check_ip")
    end_all()
    count("send_ip")

    page = admin_client.get(COUNTS, {"window": window})

    assert listed(page) == found


def test_a_window_is_called_running_while_it_is(admin_client, db):
    count()
    assert 'alt="True"' in body(admin_client.get(COUNTS))

    end_all()

    assert 'alt="False"' in body(admin_client.get(COUNTS))


def test_the_newest_limits_come_first(admin_client, db):
    for period in (60, 180, 120):
        count(subject=str(period), period=period)

    ends = [each.ends_at for each in admin_client.get(COUNTS).context["cl"].result_list]

    assert ends == sorted(ends, reverse=True)


def test_a_count_that_a_right_code_cleared_has_no_window(admin_client, user):
    end = {row[1]: row[3] for row in rows(admin_client.get(COUNTS))}

    assert end["0"] == "-"
    assert end["1"] != "-"


def test_a_limit_can_be_viewed_but_not_changed(admin_client, db):
    count("send_ip")
    page = admin_client.get(COUNTS).context["cl"].result_list
    url = f"{COUNTS}{quote(page[0].pk)}/change/"

    assert "codes requested from a client address" in admin_client.get(url).text
    assert admin_client.post(url, {"count": 0}).status_code == 403


def delete_all(browser):
    keys = list(Tally.objects.values_list("pk", flat=True))
    data = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    return browser.post(COUNTS, data, follow=True)


def test_limits_can_be_deleted(admin_client, user):
    page = delete_all(admin_client)

    assert "Successfully deleted 8" in page.text


def test_a_code_that_was_used_is_neither_listed_nor_deleted(admin_client, user):
    assert "code_" not in listed(admin_client.get(COUNTS))

    delete_all(admin_client)

    left = sorted(fixed_windows.limit_of(tally.key) for tally in Tally.objects.all())
    assert left == ["code_login", "code_use"]


def test_a_failed_send_is_not_listed(admin_client, client, contact, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    for address in (ADDRESS, STRANGER):
        ask_for_code(client, address)

    listed_limits = listed(admin_client.get(COUNTS))

    assert Tally.objects.filter(key__endswith=":circuit_probe").exists()
    assert not listed_limits & {"send_failed", "circuit", "circuit_probe"}


@pytest.mark.django_db(transaction=True)
def test_limits_are_deleted_after_a_conflict_with_a_login(admin_client, user):
    with before_the_next("DELETE", raising(DEADLOCK)):
        delete_all(admin_client)

    assert listed(admin_client.get(COUNTS)) == set()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the others need not")
def test_limits_are_deleted_in_the_order_in_which_they_are_locked(admin_client, user):
    with CaptureQueriesContext(connection) as captured:
        delete_all(admin_client)

    [sql] = [each["sql"] for each in captured if each["sql"].startswith("DELETE")]
    assert re.search("ORDER BY .* FOR UPDATE", sql)


def test_the_limits_take_the_same_queries_for_any_number(admin_client, db):
    count()
    before = statements(admin_client, COUNTS)

    for number in range(9):
        count(subject=str(number))

    assert statements(admin_client, COUNTS) == before <= 6


# A provider that cannot log in


@pytest.fixture
def connected(db, settings):
    """A contact whose number was proved by a provider that cannot log in."""
    settings.PIGGY_VERIFY_PROVIDER = "tests.attributes.Prover"
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL"]
    return Contact.objects.create(
        user=User.objects.create_user("ann"),
        provider="prover",
        uid="ann/1?",
        phone="+31612345678",
        verified_at=timezone.now(),
    )


def test_a_contact_of_a_provider_that_cannot_log_in_is_listed(admin_client, connected):
    [row] = rows(admin_client.get(CHANGELIST, {"q": "+31 6 12345678"}))

    assert {"+31612345678", "none", "ann/1?", "prover"} <= set(row)


def test_a_contact_that_was_connected_can_be_unlocked(admin_client, connected):
    address = f"{CHANGELIST}{connected.pk}"
    fixed_windows.take(rate_limits.of_send(connected.phone, None))

    page = admin_client.get(f"{address}/change/").text
    admin_client.post(f"{address}/unlock/")

    assert "/unlock/" in page
    assert "/forget_tokens/" not in page
    assert not Tally.objects.filter(key__contains="recipient").exists()


def test_tokens_that_never_were_are_not_forgotten(admin_client, connected):
    page = act(admin_client, "forget_tokens")

    assert "0 auth tokens were forgotten." in page.text
    assert not LogEntry.objects.exists()
