"""The cases in which the vendor works: right, wrong and old codes."""

from tests.conformance.case import Case, always, if_codes, if_strangers
from tests.conformance.outcomes import Outcome


def right(visit, recipient=""):
    visit.ask(recipient)
    visit.begin()
    visit.type(visit.vendor.code)


def wrong(visit):
    visit.ask()
    visit.begin()
    visit.type(visit.vendor.wrong_code)


def blank(visit):
    visit.ask()
    visit.begin()
    visit.type(" ")


def used_elsewhere(visit):
    visit.ask()
    visit.vendor.void(visit.vendor.adapter.used)
    visit.begin()
    visit.type(visit.vendor.code)


def expired(visit):
    visit.ask()
    visit.vendor.void(visit.vendor.adapter.expired)
    visit.begin()
    visit.type(visit.vendor.code)


def resend(visit):
    visit.settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "2/60s"}
    visit.ask()
    visit.resend()


def older_after_a_resend(visit):
    resend(visit)
    visit.begin()
    visit.type(visit.vendor.codes[0])


def newer_after_a_resend(visit):
    resend(visit)
    visit.begin()
    visit.type(visit.vendor.code)


def right_again(visit):
    """Type the code in another browser after it was right."""
    right(visit)
    visit.browser = visit.new_browser()
    visit.ask()
    visit.begin()
    visit.type(visit.vendor.codes[0])


def double_click(visit):
    """Send the same request twice, with the same cookies."""
    visit.ask()
    cookies = {name: each.value for name, each in visit.browser.cookies.items()}
    visit.type(visit.vendor.code)
    visit.browser = visit.new_browser()
    visit.browser.cookies.load(cookies)
    visit.begin()
    visit.type(visit.vendor.code)


def other_tab(visit):
    """Type the code in a tab, although another tab has begun a newer login."""
    visit.ask()
    tab, code = visit.tab, visit.vendor.code
    visit.ask(visit.people.bob)
    visit.begin()
    visit.type(code, **tab)


def other_browser(visit):
    """Ask in another browser within the cooldown, and type the first code there."""
    visit.ask()
    visit.browser = visit.new_browser()
    visit.ask()
    visit.begin()
    visit.type(visit.vendor.codes[0])


def stranger(visit):
    visit.begin()
    visit.ask(visit.people.stranger)
    visit.look()


def code_of_a_stranger(visit):
    visit.ask(visit.people.stranger)
    visit.begin()
    visit.type(visit.vendor.wrong_code)


def sent(visit):
    visit.begin()
    visit.ask()
    visit.look()


def without_consent(visit):
    visit.begin()
    visit.post_first_page(consents=visit.adapter.consents[1:])


def second_call_fails_once(visit):
    """Break off the first of the calls that say who the person is."""
    name = visit.adapter.second_call
    good = visit.vendor.answers[name]

    def fail_once(peer):
        visit.vendor.answers[name] = good
        peer.reset()

    visit.vendor.answers[name] = fail_once
    right(visit)


FLOWS = {
    "sent": Case(steps=sent, outcome=always(Outcome.SENT)),
    "right code": Case(steps=right, outcome=always(Outcome.LOGGED_IN)),
    "wrong code": Case(steps=wrong, outcome=always(Outcome.REJECTED)),
    "used code": Case(steps=used_elsewhere, outcome=if_codes(Outcome.REJECTED)),
    "expired code": Case(steps=expired, outcome=always(Outcome.REJECTED)),
    "older code after a resend": Case(
        steps=older_after_a_resend, outcome=always(Outcome.REJECTED)
    ),
    "newer code after a resend": Case(
        steps=newer_after_a_resend, outcome=always(Outcome.LOGGED_IN)
    ),
    "blank code": Case(steps=blank, outcome=if_codes(Outcome.BLANK)),
    "right code again": Case(steps=right_again, outcome=always(Outcome.REJECTED_HERE)),
    "double click": Case(steps=double_click, outcome=always(Outcome.REPEATED)),
    "other tab": Case(steps=other_tab, outcome=always(Outcome.LOGGED_IN)),
    "other browser": Case(steps=other_browser, outcome=always(Outcome.LOGGED_IN)),
    "consent not given": Case(
        steps=without_consent,
        outcome=lambda a: Outcome.CONSENT_REQUIRED if a.consents else None,
    ),
    "person: connection reset once": Case(
        steps=second_call_fails_once,
        outcome=lambda a: Outcome.LOGGED_IN if a.second_call else None,
    ),
    "stranger": Case(steps=stranger, outcome=if_strangers(Outcome.STRANGER)),
    "code of a stranger": Case(
        steps=code_of_a_stranger, outcome=if_strangers(Outcome.REJECTED)
    ),
}
