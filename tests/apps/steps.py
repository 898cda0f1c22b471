"""The steps of an app: ask for a code, and exchange it for a token."""

from django.test import Client

from tests.steps import ADDRESS

LOGIN = "/app/login/"
CODE = f"{LOGIN}code/"
RESEND = f"{CODE}resend/"


def token_of(request, user):
    return {"key": f"token of {user.pk}"}


def making(made):
    """Return a callable for the setting that makes `made` of every user."""
    return lambda *_: made


class App:
    """An app on a phone. It keeps the last `login` and the last `device`."""

    def __init__(self, **headers):
        self.client = Client(enforce_csrf_checks=True, **headers)
        self.kept = {}

    def post(self, url, **fields):
        """Post these fields as they are."""
        response = self.client.post(url, fields, "application/json")
        assert not response.cookies
        return response

    def ask(self, address=ADDRESS, **fields):
        return self._keep(self.post(LOGIN, email=address, **self.kept, **fields))

    def type_code(self, code, **fields):
        return self._keep(self.post(CODE, **{**self.kept, "code": code, **fields}))

    def resend(self, **fields):
        return self._keep(self.post(RESEND, **{**self.kept, **fields}))

    def log_in(self, sandbox, address=ADDRESS, **fields):
        self.ask(address, **fields)
        return self.type_code(sandbox.last_code(address))

    def _keep(self, response):
        body = response.json()
        names = ("login", "device")
        self.kept |= {name: body[name] for name in names if name in body}
        return response


def error(response):
    return response.status_code, response.json()["error"]["code"]
