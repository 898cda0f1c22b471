"""
Take the pictures in docs/screenshots: ``tox run -e screenshots``.

The pictures show the states that the tests visit. The run takes two minutes, since a
new code is sent after sixty seconds. ``-- docs/screenshots email code`` takes two only.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from playwright.sync_api import Browser

from tests.browser.shops import PUNCHH, SETTINGS, TRANSMIT, Shop, running_shop
from tests.browser.states import CONNECTING, OF_PUNCHH, OF_SANDBOX, OF_TRANSMIT, STATES
from tests.browser.visitors import Visitor, running_chromium
from tests.example.demo import manage

WIDTH = 800
NARROW = 320
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True}
DESK = {"width": 1400, "height": 440}
COLORS = 48
NAMES = (
    *("ann", "ben", "cleo", "dan", "eva", "finn", "gina", "hugo", "ida", "jan", "kim"),
    *(
        "lea",
        "max",
        "nora",
        "otto",
        "paul",
        "pia",
        "rosa",
        "sam",
        "tess",
        "ulf",
        "vera",
        "wim",
    ),
    "xaver",
    *("yara", "zoe", "alex", "bea", "carl", "dora", "emil", "fay", "greg", "hana"),
    *("ivo", "jule", "karl", "lina", "milo", "nele", "olga", "pim", "ron", "sue"),
)
# Grey edges of letters need fewer colours than coloured edges.
FLAGS = ["--disable-lcd-text", "--hide-scrollbars"]
NUMBER = "+31612345678"  # the example of the package phonenumbers: nobody's
STAFF = {"USERNAME": "staff", "EMAIL": "staff@example.com", "PASSWORD": "for a picture"}


def admin_list(visitor: Visitor) -> None:
    own = visitor.address
    for name in ("anna", "bram"):
        visitor.address = f"{name}.{own}"
        STATES["members"](visitor)
        visitor.page.context.clear_cookies()
    visitor.go("admin/piggy_verify/contact/")
    visitor.page.fill("input[name=username]", STAFF["USERNAME"])
    visitor.page.fill("input[name=password]", STAFF["PASSWORD"])
    visitor.page.click("input[type=submit]")
    visitor.page.wait_for_selector("#result_list")


def admin_contact(visitor: Visitor) -> None:
    admin_list(visitor)
    visitor.page.click("#result_list tbody th a")
    visitor.page.wait_for_selector(".readonly")


def admin_counts(visitor: Visitor) -> None:
    admin_list(visitor)
    visitor.go("admin/piggy_verify/tally/?window=running")


def admin_login(visitor: Visitor) -> None:
    visitor.go("admin/")


def members(visitor: Visitor) -> None:
    visitor.shop.add_contact(visitor.address)
    visitor.shop.set_points(visitor.address, 1250)
    STATES["members"](visitor)


Picture = tuple[Callable[[Visitor], None], dict[str, Any]]

PICTURES: dict[str, Picture] = {
    # Before the others, which add contacts and send mails.
    "sandbox": (OF_SANDBOX["sandbox"], {}),
    "phone-sandbox-page": (OF_SANDBOX["sandbox"], PHONE),
    # Before the limit of sends is reached.
    "admin-counts": (admin_counts, {"viewport": DESK}),
    "admin-login": (admin_login, {}),
    "admin-list": (admin_list, {"viewport": DESK | {"width": 1600}}),
    "admin-contact": (admin_contact, {"viewport": DESK}),
    "phone-code-page": (STATES["code"], PHONE),
    "phone-members-page": (members, PHONE),
    **{name: (drive, {}) for name, drive in STATES.items()},
    "members": (members, {}),
    "code-dark": (STATES["code"], {"color_scheme": "dark"}),
    "code-error-dark": (STATES["code-error"], {"color_scheme": "dark"}),
    "code-narrow": (STATES["code"], {"viewport": {"width": NARROW}}),
    "code-dutch": (STATES["code"], {"locale": "nl"}),
    "code-rtl": (STATES["code"], {"locale": "he"}),
    **{
        name: (CONNECTING[name], {})
        for name in (
            "connect",
            "connect-code",
            "connected",
            "connect-unavailable",
            "contact-taken",
            "already-connected",
            "only-way-in",
            "connect-refused",
        )
    },
}
WITH_PUNCHH: dict[str, Picture] = {
    name: (OF_PUNCHH[name], {})
    for name in ("phone", "consent-error", "phone-code", "spent")
}
"""The pictures of a shop with Punchh, which texts codes too and wants consents."""
WITH_TRANSMIT: dict[str, Picture] = {
    name: (OF_TRANSMIT[name], {})
    for name in (
        "connect-phone",
        "connected-both",
        "link",
        "link-not-followed",
        "link-limited",
        "link-unsent",
        "login-required",
    )
}
"""The pictures of a shop with Transmit, which texts codes and mails links."""
HOUSES: tuple[tuple[dict[str, Picture], dict[str, str]], ...] = (
    (PICTURES, {}),
    (WITH_PUNCHH, PUNCHH),
    (WITH_TRANSMIT, TRANSMIT),
)


def take(name: str, folder: Path, chromium: Browser, shop: Shop) -> None:
    every = PICTURES | WITH_PUNCHH | WITH_TRANSMIT
    drive, options = every[name]
    # A longer page is shown in full.
    size = {"width": WIDTH, "height": 100} | options.get("viewport", {})
    number = [*every].index(name)
    context = chromium.new_context(
        **{"locale": "en", "color_scheme": "light"} | options | {"viewport": size},
        extra_http_headers={"X-Forwarded-For": f"10.0.0.{number}"},
    )
    address = f"{NAMES[number % len(NAMES)]}@example.com"
    visitor = Visitor(context.new_page(), shop, address)
    visitor.number = NUMBER
    drive(visitor)
    path = folder / f"{name}.png"
    # A picture of a phone shows what fits on it.
    context.pages[0].screenshot(path=path, full_page="is_mobile" not in options)
    context.close()
    shrink(path)


def shrink(path: Path) -> None:
    with Image.open(path) as image:
        few = image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    sys.stdout.write(f"{path} {path.stat().st_size}\n")


def main(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for pictures, variables in HOUSES:
        wanted = [name for name in pictures if name in names or not names]
        if wanted:
            take_all(wanted, folder, **variables)


def take_all(names: list[str], folder: Path, **variables: str) -> None:
    """Take these pictures in one shop."""
    with (
        TemporaryDirectory() as place,
        running_shop(Path(place), **variables) as shop,
        running_chromium(*FLAGS) as chromium,
    ):
        create_staff(Path(place))
        for name in names:
            take(name, folder, chromium, shop)


def create_staff(place: Path) -> None:
    variables = {f"DJANGO_SUPERUSER_{name}": each for name, each in STAFF.items()}
    status, printed = manage(
        place, "createsuperuser", "--noinput", **SETTINGS, **variables
    )
    if status:
        sys.exit(printed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
