"""Announce that a provider recommends a further check of a person."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from django_piggy_verify import events, signals
from django_piggy_verify.providers.base import Proof


def announce(
    proof: Proof, user: AbstractBaseUser, request: HttpRequest | None, *, sender: type
) -> None:
    """Log and signal the hint of a proof, if it has one. Nothing raises an error."""
    if not proof.hint:
        return
    events.STEP_UP_RECOMMENDED.log(user_id=user.pk, hint=proof.hint)
    signals.step_up_recommended.send_robust(
        sender,
        user=user,
        identity=proof.identity,
        hint=proof.hint,
        request=request,
    )
