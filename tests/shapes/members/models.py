from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class Manager(BaseUserManager["EmailUser"]):
    def create_superuser(self, email, password):
        user = self.model(email=email, is_staff=True, is_superuser=True)
        user.set_password(password)
        user.save()
        return user


class EmailUser(AbstractBaseUser, PermissionsMixin):
    """Logs in by e-mail, has no username, and a UUID for a primary key."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    objects = Manager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        swappable = "AUTH_USER_MODEL"


class CardUser(AbstractBaseUser):
    """Logs in by the number of a card, and has neither a username nor an e-mail."""

    card = models.UUIDField(default=uuid4, unique=True)
    objects = BaseUserManager["CardUser"]()

    USERNAME_FIELD = "card"

    class Meta:
        swappable = "AUTH_USER_MODEL"
