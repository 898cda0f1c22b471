import base64

import pytest
from django.test import override_settings

from tests.http.hostile import CLIENT_SECRET, self_signed
from tests.secrecy import evidence as sinks, piggy, punchh, transmit
from tests.secrecy.crashes import crash_at
from tests.secrecy.evidence import Mailer
from tests.secrecy.walkthrough import served_with_tls, with_tls

PLANS = {"piggy": piggy.PLAN, "punchh": punchh.PLAN, "transmit": transmit.PLAN}


@pytest.fixture(scope="package")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="package")
def piggy_sandbox_server(certificate):
    with served_with_tls(certificate[0]) as server:
        yield server


@pytest.fixture
def vendor():
    """The vendor of the sandbox. Tests of another one replace this fixture."""
    return "piggy"


@pytest.fixture
def plan(vendor):
    return PLANS[vendor]


@pytest.fixture
def way(plan):
    return plan.ways[0]


@pytest.fixture
def visit(evidence, sandbox, plan, way):
    return plan.visit(evidence, sandbox, way)


@pytest.fixture(autouse=True)
def marked(plan, monkeypatch):
    plan.marks(monkeypatch)


@pytest.fixture(autouse=True)
def sandbox(sandbox_for, vendor, piggy_sandbox_server, certificate, unlimited):
    """The sandbox over TLS. The secrets in the settings are marked."""
    sandbox, url = sandbox_for(vendor), piggy_sandbox_server.url_of(vendor)
    with override_settings(
        DEBUG=False,
        SECRET_KEY=sinks.SECRET_KEY,
        PIGGY_VERIFY_BASE_URL=with_tls(url),
        PIGGY_VERIFY_CA_BUNDLE=certificate[1],
        PIGGY_VERIFY_CLIENT_ID="sandbox",
        PIGGY_VERIFY_CLIENT_SECRET=CLIENT_SECRET,
        PIGGY_VERIFY_ENCRYPTION_KEYS=[
            base64.urlsafe_b64encode(sinks.RING_KEY.encode()).decode()
        ],
        PIGGY_VERIFY_EXPOSE_AUTH_TOKEN=True,
        **PLANS[vendor].settings(piggy_sandbox_server),
    ):
        yield sandbox


@pytest.fixture
def evidence(db, capsys):
    with sinks.watching(capsys) as gathered:
        yield gathered


@pytest.fixture
def mailer(evidence):
    ours = sinks.listening(Mailer(evidence), "django_piggy_verify")
    with sinks.listening(Mailer(evidence), "django"), ours:
        yield


@pytest.fixture
def debug(settings):
    settings.DEBUG = True


@pytest.fixture
def broken(monkeypatch, evidence):
    """Return a function that makes the function at a dotted path raise an error."""

    def break_off(path, error=ArithmeticError):
        monkeypatch.setattr(path, crash_at(path, evidence, error))

    return break_off
