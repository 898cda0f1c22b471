"""User models of other projects."""

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class EmailUser(AbstractBaseUser):
    """Logs in by e-mail and has no username."""

    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    objects = BaseUserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"


class AddressUser(AbstractBaseUser):
    """Logs in by a name, and has an address that nobody else has."""

    name = models.CharField(max_length=32, unique=True)
    email = models.EmailField(unique=True)
    objects = BaseUserManager()

    USERNAME_FIELD = "name"


class NullableUser(AbstractBaseUser):
    """Logs in by a name, and may have no address."""

    name = models.CharField(max_length=32, unique=True)
    email = models.EmailField(unique=True, null=True)  # noqa: DJ001  as some projects
    objects = BaseUserManager()

    USERNAME_FIELD = "name"


class CardUser(AbstractBaseUser):
    """Logs in by a short card number and has no e-mail."""

    card = models.CharField(max_length=8, unique=True)
    objects = BaseUserManager()

    USERNAME_FIELD = "card"


class NumberUser(AbstractBaseUser):
    """Has a username field with a default."""

    number = models.PositiveIntegerField(default=7, unique=True)
    objects = BaseUserManager()

    USERNAME_FIELD = "number"
