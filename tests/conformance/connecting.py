"""The cases of a user who connects a contact, and who may lack access to the vendor."""

from dataclasses import replace

from tests.conformance.case import Case
from tests.conformance.flows import right
from tests.conformance.outcomes import Outcome


def of_another_user(visit):
    visit.settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "2/60s"}
    visit.browser = visit.new_browser("other")
    right(visit)
    visit.browser = visit.new_browser()
    right(visit)


def another_contact(visit):
    right(visit, visit.people.bob)
    right(visit)


def send_without_access(visit):
    visit.begin()
    visit.settings.PIGGY_VERIFY_USER_ACCESS = lambda _: None
    visit.post_first_page()


def check_without_access(visit):
    visit.ask()
    visit.begin()
    visit.settings.PIGGY_VERIFY_USER_ACCESS = lambda _: None
    visit.type(visit.vendor.code)


def check_with_access_of_another_user(visit):
    visit.ask()
    visit.begin()
    access = visit.settings.PIGGY_VERIFY_USER_ACCESS
    visit.settings.PIGGY_VERIFY_USER_ACCESS = lambda request: replace(
        access(request), uid="other"
    )
    visit.type(visit.vendor.code)


def if_vendor_tells_who(outcome):
    return lambda adapter: None if adapter.wants_access else outcome


def if_access(outcome):
    return lambda adapter: outcome if adapter.wants_access else None


CONNECTING = {
    "contact of another user": Case(
        steps=of_another_user, outcome=if_vendor_tells_who(Outcome.TAKEN_HERE)
    ),
    "another contact": Case(
        steps=another_contact, outcome=if_vendor_tells_who(Outcome.ALREADY_CONNECTED)
    ),
    "send: no access": Case(
        steps=send_without_access, outcome=if_access(Outcome.SEND_LACKS_ACCESS)
    ),
    "check: no access": Case(
        steps=check_without_access, outcome=if_access(Outcome.CHECK_LACKS_ACCESS)
    ),
    "check: access of another user": Case(
        steps=check_with_access_of_another_user,
        outcome=if_access(Outcome.CHECK_HAS_OTHER_ACCESS),
    ),
}
