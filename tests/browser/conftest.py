"""
Share one browser and few shops among all tests of this package.

A shop takes seconds to start. These fixtures end with the package, since Playwright
runs an event loop, and the ORM does not work beside one.
"""

import pytest

from tests.browser.shops import PUNCHH, TRANSMIT, running_shop


@pytest.fixture(scope="package")
def chromium():
    # Where there is no browser, this module is imported, and the tests are skipped.
    from tests.browser.visitors import running_chromium  # noqa: PLC0415

    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def shop(tmp_path_factory):
    """A shop whose login pages use the layout of the project."""
    with running_shop(tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.fixture(scope="package")
def hasty_shop(tmp_path_factory):
    """A shop that sends a new code after two seconds."""
    with running_shop(tmp_path_factory.mktemp("hasty"), COOLDOWN="2s") as shop:
        yield shop


@pytest.fixture(scope="package")
def bare(tmp_path_factory):
    """A hasty shop whose login pages use the templates of the package."""
    folder = tmp_path_factory.mktemp("bare")
    with running_shop(folder, COOLDOWN="2s", LOOK="bare") as shop:
        yield shop


@pytest.fixture(scope="package")
def punchh(tmp_path_factory):
    """A bare shop that also texts its codes, and wants consents."""
    folder = tmp_path_factory.mktemp("punchh")
    with running_shop(folder, **PUNCHH, LOOK="bare") as shop:
        yield shop


@pytest.fixture(scope="package")
def transmit(tmp_path_factory):
    """A bare shop whose users connect addresses by link, and numbers by code."""
    folder = tmp_path_factory.mktemp("transmit")
    with running_shop(folder, **TRANSMIT, COOLDOWN="2s", LOOK="bare") as shop:
        yield shop
