"""The authentication backend of the shop."""

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.providers.base import Identity


class ShopBackend(PiggyBackend):
    """Keeps the user's address up to date, because invoices go to it."""

    def update_user(
        self, request: HttpRequest | None, user: AbstractBaseUser, identity: Identity
    ) -> None:
        """
        Copy the new address. Safe here, as no password is reset by e-mail.

        With a code by text message, the identity has a number and no address.
        """
        if identity.email:
            users = get_user_model().objects.filter(pk=user.pk)
            users.update(email=identity.email)
