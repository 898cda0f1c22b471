"""The models of the floor: the contact of each user, and the plain token."""

from django.conf import settings
from django.db import models


class Profile(models.Model):
    """The contact of a user."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    uid = models.CharField(max_length=64, unique=True)

    class Meta:
        app_label = "floor"

    def __str__(self) -> str:
        return self.uid


class Token(models.Model):
    """A contact's auth token."""

    profile = models.OneToOneField(Profile, on_delete=models.CASCADE)
    text = models.TextField()
    fetched_at = models.DateTimeField()

    class Meta:
        app_label = "floor"

    def __str__(self) -> str:
        return f"token of {self.fetched_at}"
