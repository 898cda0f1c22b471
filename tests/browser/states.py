"""List every state of every page, with the steps that lead there."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.visitors import (
    DISCONNECT_FORM,
    ERRORS,
    FIELD_ERROR,
    NOTICE,
    RESEND_BUTTON,
    Visitor,
)


def home(visitor: Visitor) -> None:
    visitor.go("")


def members(visitor: Visitor) -> None:
    code(visitor)
    visitor.type_code(visitor.right_code())
    # The token may come after the page.
    visitor.reload_until("dd:has-text('ago')")


def email(visitor: Visitor) -> None:
    visitor.go()


def email_error(visitor: Visitor) -> None:
    visitor.go()
    visitor.type_address("ann")
    visitor.page.wait_for_selector(FIELD_ERROR)


def email_expired(visitor: Visitor) -> None:
    visitor.go("login/code/")
    visitor.page.wait_for_selector(NOTICE)


def code(visitor: Visitor) -> None:
    visitor.go()
    visitor.ask_for_code()
    visitor.page.wait_for_selector("input[name=code]")
    # The mail may come after the page.
    visitor.right_code()


def code_error(visitor: Visitor) -> None:
    code(visitor)
    visitor.type_code("wrong")
    visitor.page.wait_for_selector(FIELD_ERROR)


def code_resent(visitor: Visitor) -> None:
    code(visitor)
    expect(visitor.page.locator(RESEND_BUTTON)).to_be_visible(timeout=70_000)
    visitor.ask_again()


def limited_code(visitor: Visitor) -> None:
    code(visitor)
    while visitor.page.locator("input[name=code]").count():
        visitor.type_code("wrong")
    assert visitor.status == 429


def limited_address(visitor: Visitor) -> None:
    for number in range(3):
        visitor.go()
        visitor.type_address(f"stranger{number}.{visitor.address}")
    assert visitor.status == 429


def unavailable(visitor: Visitor) -> None:
    code(visitor)
    with visitor.shop.misbehaving(fault="maintenance"):
        visitor.type_code("123456")
    assert visitor.status == 503


def unsent(visitor: Visitor) -> None:
    visitor.go()
    with visitor.shop.misbehaving(fault="maintenance"):
        visitor.type_address(visitor.address)
        visitor.wait_for_failed_send()
        visitor.page.reload()
    assert visitor.status == 503


def portal_unavailable(visitor: Visitor) -> None:
    members(visitor)
    with visitor.shop.misbehaving(fault="maintenance"):
        visitor.go("portal/")
    assert visitor.status == 503


def refused(visitor: Visitor) -> None:
    visitor.address = f"refused.{visitor.address}"
    code(visitor)
    visitor.type_code(visitor.right_code())
    assert visitor.status == 403


def interrupted(visitor: Visitor) -> None:
    visitor.go()
    visitor.page.context.clear_cookies()
    visitor.type_address(visitor.address)
    assert visitor.status == 403


def phone(visitor: Visitor) -> None:
    visitor.go()
    visitor.press("main a[href*='by=phone']")


def consent(visitor: Visitor) -> None:
    visitor.go()
    visitor.page.wait_for_selector("input[name=consent_terms]")


def consent_error(visitor: Visitor) -> None:
    phone(visitor)
    visitor.page.check("input[name=consent_terms]")
    visitor.type_number("020 123 45 67")
    visitor.page.wait_for_selector(ERRORS)


def phone_code(visitor: Visitor) -> None:
    phone(visitor)
    visitor.agree()
    visitor.type_number(visitor.number)
    visitor.page.wait_for_selector("input[name=code]")
    visitor.right_code(visitor.number)


def phone_code_error(visitor: Visitor) -> None:
    phone_code(visitor)
    visitor.type_code("wrong")
    visitor.page.wait_for_selector(FIELD_ERROR)


def number_refused(visitor: Visitor) -> None:
    phone(visitor)
    visitor.agree()
    with visitor.shop.misbehaving(error_code="invalid_phone_format", fault_on="send"):
        visitor.type_number(visitor.number)
        # The script of the code page leads back by itself.
        visitor.page.wait_for_selector(ERRORS)


def spent(visitor: Visitor) -> None:
    phone_code(visitor)
    with visitor.shop.misbehaving(failing_profiles="2"):
        visitor.type_code(visitor.right_code(visitor.number))
    assert visitor.status == 503


def connect(visitor: Visitor) -> None:
    visitor.log_in_by_password()
    visitor.go("login/connect/")


def connect_error(visitor: Visitor) -> None:
    connect(visitor)
    visitor.connect("ann")
    visitor.page.wait_for_selector(FIELD_ERROR)


def connect_code(visitor: Visitor) -> None:
    connect(visitor)
    visitor.shop.add_contact(visitor.address)
    visitor.connect(visitor.address)
    visitor.page.wait_for_selector("input[name=code]")
    visitor.right_code()


def connected(visitor: Visitor) -> None:
    connect_code(visitor)
    visitor.type_code(visitor.right_code())
    visitor.page.wait_for_selector(DISCONNECT_FORM)


def connect_limited(visitor: Visitor) -> None:
    connect_code(visitor)
    while visitor.page.locator("input[name=code]").count():
        visitor.type_code("wrong")
    assert visitor.status == 429


def connect_unavailable(visitor: Visitor) -> None:
    connect_code(visitor)
    with visitor.shop.misbehaving(fault="maintenance"):
        visitor.type_code("123456")
    assert visitor.status == 503


def connect_unsent(visitor: Visitor) -> None:
    connect(visitor)
    with visitor.shop.misbehaving(fault="maintenance"):
        visitor.connect(visitor.address)
        visitor.wait_for_failed_send("login/connect/code/")
        visitor.page.reload()
    assert visitor.status == 503


def contact_taken(visitor: Visitor) -> None:
    members(visitor)
    visitor.page.context.clear_cookies()
    visitor.shop.demo.end_cooldown()
    connect_code(visitor)
    visitor.type_code(visitor.right_code())
    assert visitor.status == 409


def already_connected(visitor: Visitor) -> None:
    connected(visitor)
    visitor.address = f"other.{visitor.address}"
    visitor.shop.add_contact(visitor.address)
    visitor.connect(visitor.address)
    visitor.type_code(visitor.right_code())
    assert visitor.status == 409


def only_way_in(visitor: Visitor) -> None:
    members(visitor)
    visitor.go("login/connect/")
    visitor.press(f"{DISCONNECT_FORM} button")
    assert visitor.status == 409


def connect_refused(visitor: Visitor) -> None:
    visitor.address = f"staff.{visitor.address}"
    connect(visitor)
    assert visitor.status == 403


def connect_phone(visitor: Visitor) -> None:
    connect(visitor)
    visitor.press("main a[href*='by=phone']")


def connect_phone_code(visitor: Visitor) -> None:
    connect_phone(visitor)
    visitor.agree()
    visitor.connect(visitor.number, field="phone")
    visitor.page.wait_for_selector("input[name=code]")
    visitor.right_code(visitor.number)


def connect_spent(visitor: Visitor) -> None:
    connect_phone_code(visitor)
    with visitor.shop.misbehaving(failing_profiles="2"):
        visitor.type_code(visitor.right_code(visitor.number))
    assert visitor.status == 503


def connected_both(visitor: Visitor) -> None:
    link(visitor)
    visitor.page.goto(visitor.shop.demo.last_link(visitor.address))
    visitor.press("main button")
    visitor.page.wait_for_selector(DISCONNECT_FORM)
    visitor.press("main a[href*='by=phone']")
    visitor.connect(visitor.number, field="phone")
    visitor.type_code(visitor.right_code(visitor.number))
    visitor.page.wait_for_selector(DISCONNECT_FORM)


def link(visitor: Visitor) -> None:
    connect(visitor)
    visitor.connect(visitor.address)
    visitor.page.wait_for_selector("form[action$='/link/']")
    visitor.shop.demo.last_link(visitor.address)


def link_not_followed(visitor: Visitor) -> None:
    link(visitor)
    visitor.press("main button")
    visitor.page.wait_for_selector(NOTICE)


def link_limited(visitor: Visitor) -> None:
    link(visitor)
    while visitor.page.locator("form[action$='/link/']").count():
        visitor.press("form[action$='/link/'] button")
    assert visitor.status == 429


def link_unsent(visitor: Visitor) -> None:
    connect(visitor)
    with visitor.shop.misbehaving(fault="maintenance"):
        visitor.connect(visitor.address)
        visitor.wait_for_failed_send("login/connect/code/")
        visitor.press("main button")
    assert visitor.status == 503


def login_required(visitor: Visitor) -> None:
    visitor.address = f"expired.{visitor.address}"
    connect(visitor)
    visitor.connect(visitor.address)
    assert visitor.status == 403


def sandbox(visitor: Visitor) -> None:
    code(visitor)
    visitor.go("sandbox/")
    expect(visitor.page.locator("[role=status]")).not_to_be_empty()


def sandbox_transmit(visitor: Visitor) -> None:
    connected_both(visitor)
    visitor.go("sandbox/")
    expect(visitor.page.locator("[role=status]")).not_to_be_empty()


def portal(visitor: Visitor) -> None:
    members(visitor)
    visitor.go("portal/")


STATES: dict[str, Callable[[Visitor], None]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        home,
        members,
        email,
        email_error,
        email_expired,
        code,
        code_error,
        code_resent,
        limited_code,
        limited_address,
        unavailable,
        unsent,
        portal_unavailable,
        refused,
        interrupted,
    )
}

CONNECTING: dict[str, Callable[[Visitor], None]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        connect,
        connect_error,
        connect_code,
        connected,
        connect_limited,
        connect_unavailable,
        connect_unsent,
        contact_taken,
        already_connected,
        only_way_in,
        connect_refused,
    )
}
"""The states of the pages that connect a contact."""

OF_PUNCHH: dict[str, Callable[[Visitor], None]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        phone,
        consent,
        consent_error,
        phone_code,
        phone_code_error,
        number_refused,
        spent,
        connect_phone,
        connect_spent,
    )
}
"""The states of a shop with Punchh, which texts codes too and wants consents."""

OF_TRANSMIT: dict[str, Callable[[Visitor], None]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        connect,
        connect_phone,
        connect_phone_code,
        connected_both,
        link,
        link_not_followed,
        link_limited,
        link_unsent,
        login_required,
    )
}
"""The states of a shop with Transmit, which texts codes and mails links."""

OF_SANDBOX: dict[str, Callable[[Visitor], None]] = {
    "sandbox": sandbox,
    "sandbox-portal": portal,
    "sandbox-transmit": sandbox_transmit,
}
"""The pages of the sandbox. The last one needs a shop with Transmit."""
