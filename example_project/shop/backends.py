"""Who the shop's users are."""

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.providers.base import Identity


class ShopBackend(PiggyBackend):
    """Writes invoices to the address that a member proved last."""

    def update_user(
        self, request: HttpRequest | None, user: AbstractBaseUser, identity: Identity
    ) -> None:
        """Follow a change of address; nobody here resets a password through it."""
        get_user_model().objects.filter(pk=user.pk).update(email=identity.email)
