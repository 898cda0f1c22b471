"""The steps of a user who is logged in, and who connects a contact."""

from django.test import Client

from tests.steps import ADDRESS

CONNECT = "/login/connect/"
CODE = f"{CONNECT}code/"
RESEND = f"{CODE}resend/"
CANCEL = f"{CONNECT}cancel/"
LINK = f"{CONNECT}link/"
DISCONNECT = f"{CONNECT}disconnect/"
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


def become(browser, user):
    """Log in as this user, as with a password."""
    browser.force_login(user, MODEL_BACKEND)


def browser_of(user):
    """Return a new browser in which this user is logged in."""
    browser = Client()
    become(browser, user)
    return browser


def twin_of(browser):
    """Return a browser with the same cookies, such as another tab."""
    twin = Client()
    twin.cookies.load({name: each.value for name, each in browser.cookies.items()})
    return twin


def ask(browser, address=ADDRESS, **fields):
    return browser.post(CONNECT, {"email": address, **fields})


def type_code(browser, code, **fields):
    return browser.post(CODE, {"code": code, **fields})


def connect(browser, sandbox, address=ADDRESS, **fields):
    ask(browser, address, **fields)
    return type_code(browser, sandbox.last_code(address))


def contacts_of(user):
    return list(user.piggy_contacts.values_list("email", flat=True))
