"""The steps of a user who is logged in, and who connects a contact."""

from tests.steps import ADDRESS

CONNECT = "/login/connect/"
CODE = f"{CONNECT}code/"
RESEND = f"{CODE}resend/"
CANCEL = f"{CONNECT}cancel/"
LINK = f"{CONNECT}link/"
DISCONNECT = f"{CONNECT}disconnect/"


def ask(browser, address=ADDRESS, **fields):
    return browser.post(CONNECT, {"email": address, **fields})


def type_code(browser, code, **fields):
    return browser.post(CODE, {"code": code, **fields})


def connect(browser, sandbox, address=ADDRESS, **fields):
    ask(browser, address, **fields)
    return type_code(browser, sandbox.last_code(address))


def contacts_of(user):
    return list(user.piggy_contacts.values_list("email", flat=True))
