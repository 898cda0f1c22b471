"""Providers that cannot log in, and what a project needs for them."""

from typing import ClassVar

from django.http import HttpResponse
from django.urls import include, path

from django_piggy_verify.exceptions import CodeRejected, LoginRequired
from django_piggy_verify.providers import credentials
from django_piggy_verify.providers.base import Identity, UserAccess
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel, Traits

ONLY_ATTRIBUTES = Traits(
    channels=frozenset({Channel.EMAIL, Channel.SMS}),
    can_log_in=False,
    knows_members=False,
    wants_user_access=True,
)


class Prover:
    """A provider that only proves addresses and numbers of users. It needs no key."""

    name = "prover"
    base_url = "https://api.vendor.example"
    traits = ONLY_ATTRIBUTES

    def problems(self):
        return iter(())

    def new_state(self, challenge):
        return {"uid": Secret(challenge.access.uid)}

    def send_code(self, challenge):
        _require_access(challenge)
        return challenge

    def check_code(self, challenge, code):
        _require_access(challenge)
        return Identity.of(
            challenge.recipient, provider=self.name, uid=challenge.access.uid
        )


class LinkProver(Prover):
    """A provider that mails links, and needs a key to look at them."""

    traits = Traits(
        channels=frozenset({Channel.LINK, Channel.SMS}),
        can_log_in=False,
        knows_members=False,
        wants_user_access=True,
    )
    followed = False

    def problems(self):
        return credentials.key_problems("Set a key.")

    def send_link(self, challenge):
        return self.send_code(challenge)

    def check_link(self, challenge):
        if not self.followed:
            raise CodeRejected
        return self.check_code(challenge, "")


class Branches(Prover):
    """A provider with accounts that can log in, and accounts that cannot."""

    can_log_in: ClassVar = {"north": False, "south": True}
    now = ""

    def __init__(self):
        if self.can_log_in.get(Branches.now):
            self.traits = Traits()

    @staticmethod
    def each_account():
        for Branches.now in Branches.can_log_in:  # noqa: B020
            yield Branches.now
        Branches.now = ""


def access_of_ann(request):
    return UserAccess(uid="ann", token=Secret("token-of-ann"))


def page(request):
    return HttpResponse("a page")


def urls_of(*names):
    """Return a URLconf with pages of these names."""
    pages = [path(f"{each}/", page, name=each) for each in names]
    return (path("account/", include((pages, "piggy_verify"))),)


def _require_access(challenge):
    if challenge.access is None:
        raise LoginRequired
