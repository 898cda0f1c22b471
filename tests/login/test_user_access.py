import logging
import traceback
from typing import Any

import pytest

from django_piggy_verify.exceptions import LoginRequired, ProviderRefused
from django_piggy_verify.login import user_access
from django_piggy_verify.providers.base import UserAccess

TOKEN = "token-of-ann-at-the-vendor-0123456789"
UID = "ann.1"


def access(**values: Any):
    return UserAccess(**values)


def ann(request):
    return access(uid=UID, token=TOKEN)


def nobody(request):
    return None


def broken(request):
    raise KeyError(TOKEN)


@pytest.fixture
def asked(rf, settings, caplog):
    """Return a function that asks a callable, and returns the result and the log."""

    def ask(named):
        settings.PIGGY_VERIFY_USER_ACCESS = named
        caplog.set_level(logging.DEBUG, logger="django_piggy_verify")
        result: Any
        try:
            result = user_access.find(rf.get("/"))
        except Exception as error:  # noqa: BLE001
            result = error
        return result, [each.getMessage() for each in caplog.records]

    return ask


@pytest.mark.parametrize("named", [ann, f"{__name__}.ann"])
def test_the_callable_says_who_is_logged_in_at_the_provider(asked, named):
    found, log = asked(named)

    assert (found.uid, found.token) == (UID, TOKEN)
    assert log == []


def test_the_callable_gets_the_request(asked):
    found, _log = asked(lambda request: access(uid=request.path, token=TOKEN))

    assert found.uid == "/"


def test_without_a_request_the_person_has_to_log_in(settings):
    settings.PIGGY_VERIFY_USER_ACCESS = ann

    with pytest.raises(LoginRequired):
        user_access.find(None)


def test_a_user_without_access_is_logged_but_no_error(asked, caplog):
    found, log = asked(nobody)

    assert isinstance(found, LoginRequired)
    assert log == [
        "PIGGY_VERIFY_USER_ACCESS returned None, so the user must log in again"
    ]
    assert [each.levelname for each in caplog.records] == ["INFO"]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (broken, "it raised KeyError"),
        (lambda _: TOKEN, "an object of the type str"),
        (lambda _: {"access_token": TOKEN}, "an object of the type dict"),
        (lambda _: access(uid="", token=TOKEN), "its uid is not 1 to 64"),
        (lambda _: access(uid=" a", token=TOKEN), "its uid is not 1 to 64"),
        (lambda _: access(uid="a" * 65, token=TOKEN), "its uid is not 1 to 64"),
        (lambda _: access(uid="a\n", token=TOKEN), "its uid is not 1 to 64"),
        (lambda _: access(uid=5, token=TOKEN), "its uid is not 1 to 64"),
        (lambda _: access(uid=UID, token=""), "its token is not printable"),
        (lambda _: access(uid=UID, token=None), "its token is not printable"),
        (lambda _: access(uid=UID, token=TOKEN.encode()), "its token is not"),
        (lambda _: access(uid=UID, token=f"{TOKEN}\r\nA: b"), "its token is not"),
        (lambda _: access(uid=UID, token=f"{TOKEN}\xe9"), "its token is not"),
        (lambda _: access(uid=UID, token=f"Bearer {TOKEN}"), "its token is not"),
    ],
)
def test_an_access_that_cannot_be_used_is_logged_without_the_token(asked, named, said):
    found, [line] = asked(named)

    assert isinstance(found, LoginRequired)
    assert line.startswith("PIGGY_VERIFY_USER_ACCESS returned no usable access: ")
    assert said in line
    assert TOKEN not in line


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        (None, "it is missing"),
        ("no.such.callable", "there is no module 'no'"),
        (f"{__name__}.UID", "TypeError"),
        (5, "TypeError"),
    ],
)
def test_a_setting_that_names_no_callable_is_an_operators_fault(asked, named, reason):
    found, [line] = asked(named)

    assert isinstance(found, ProviderRefused)
    assert not found.may_depend_on_contact
    assert f"PIGGY_VERIFY_USER_ACCESS cannot be used: {reason} " in line


@pytest.mark.parametrize(
    "named",
    [
        broken,
        lambda _: TOKEN,
        lambda _: {"access_token": TOKEN},
        lambda _: access(uid="", token=TOKEN),
    ],
    ids=["raised", "text", "dictionary", "uid"],
)
def test_no_frame_of_the_error_holds_the_token(asked, named):
    found, _log = asked(named)

    told = traceback.TracebackException.from_exception(found, capture_locals=True)
    ours = [each for each in told.stack if each.filename == user_access.__file__]
    assert found.__context__ is None
    assert ours
    assert TOKEN not in "".join(str(each.locals) for each in ours)


def test_an_access_does_not_show_its_token(asked):
    found, _log = asked(ann)

    assert TOKEN not in repr(found)
    assert TOKEN not in repr(found.token)
