"""
The tables: contacts, their tokens and consents, open challenges, and counters.

`backends` decides who may log in. `rate_limits` decides what is counted.
"""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_piggy_verify.db.indexes import LowerCaseIndex


class ExactCharField(models.CharField):  # type: ignore[type-arg]
    """
    A text that every database compares exactly.

    By default, MariaDB ignores case when it compares texts.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        """Set a binary collation for MariaDB and MySQL."""
        collation = {"mysql": "utf8mb4_bin"}.get(connection.vendor)
        return {**super().db_parameters(connection), "collation": collation}


class FetchState(models.TextChoices):
    """The state of the last fetch of a contact's token, valid until `fetch_until`."""

    IDLE = "", _("at rest")
    FETCHING = "fetching", _("under way")
    UNAVAILABLE = "unavailable", _("provider unavailable")
    REFUSED = "refused", _("refused by the provider")
    UNKNOWN = "unknown", _("contact unknown")


class Contact(models.Model):
    """A member of the loyalty programme, and the Django user of this member."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="piggy_contacts",
        verbose_name=_("user"),
    )
    provider = ExactCharField(_("provider"), max_length=64)
    uid = ExactCharField(_("id at the provider"), max_length=64)
    email = models.EmailField(_("email address"), blank=True)
    phone = models.CharField(_("phone number"), max_length=32, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    verified_at = models.DateTimeField(_("last verified at"))
    # The two columns of the lease: see `leases`.
    fetch_until = models.DateTimeField(
        _("fetch state counts until"), null=True, editable=False
    )
    fetch_state = models.CharField(
        _("state of the token's fetch"),
        max_length=16,
        choices=FetchState,
        default=FetchState.IDLE,
        blank=True,
        editable=False,
    )

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        # The admin searches and sorts by these fields.
        indexes = (
            LowerCaseIndex(fields=("email",), name="piggy_verify_contact_email"),
            models.Index(fields=("phone",), name="piggy_verify_contact_phone"),
            models.Index(fields=("uid",), name="piggy_verify_contact_by_uid"),
            models.Index(fields=("verified_at",), name="piggy_verify_contact_seen"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("provider", "uid"), name="piggy_verify_contact_uid"
            ),
            models.UniqueConstraint(
                fields=("user", "provider"), name="piggy_verify_contact_user"
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider} contact {self.uid}"

    @property
    def binding(self) -> str:
        """The text that the encryption binds this contact's token to."""
        return binding(self.provider, self.uid)

    @property
    def refresh_binding(self) -> str:
        """
        The text that the encryption binds this contact's refresh token to.

        So a refresh token in the place of the auth token cannot be decrypted.
        """
        return f"refresh\0{self.binding}"


def binding(provider: str, uid: str) -> str:
    """Return a text that no other contact has."""
    return f"{provider}\0{uid}"


class AuthToken(models.Model):
    """The encrypted auth token of a contact."""

    contact = models.OneToOneField(
        Contact,
        on_delete=models.CASCADE,
        related_name="auth_token",
        verbose_name=_("contact"),
    )
    ciphertext = models.BinaryField(_("encrypted token"))
    refresh_ciphertext = models.BinaryField(_("encrypted refresh token"), null=True)
    fetched_at = models.DateTimeField(_("fetched at"))
    expires_at = models.DateTimeField(_("expires at"), db_index=True)

    class Meta:
        verbose_name = _("auth token")
        verbose_name_plural = _("auth tokens")

    def __str__(self) -> str:
        return f"auth token until {self.expires_at:%Y-%m-%d %H:%M:%S %Z}"


class Consent(models.Model):
    """A consent of a contact, with the time when it was first given."""

    contact = models.ForeignKey(
        Contact,
        on_delete=models.CASCADE,
        related_name="consents",
        verbose_name=_("contact"),
    )
    kind = ExactCharField(_("kind"), max_length=32)
    version = ExactCharField(_("version"), max_length=64)
    given_at = models.DateTimeField(_("given at"))

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = (
            models.UniqueConstraint(
                fields=("contact", "kind", "version"), name="piggy_verify_consent_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.version}"


class OpenChallenge(models.Model):
    """A send whose code may be typed, with its encrypted state and consents."""

    key = ExactCharField(_("keyed hash"), max_length=64, db_index=True)
    ciphertext = models.BinaryField(_("encrypted state"))
    ends_at = models.DateTimeField(_("ends at"), db_index=True)

    class Meta:
        verbose_name = _("open challenge")
        verbose_name_plural = _("open challenges")

    def __str__(self) -> str:
        return f"open challenge until {self.ends_at:%Y-%m-%d %H:%M:%S %Z}"


class Tally(models.Model):
    """A counter: the number of attempts of one subject in one window."""

    key = ExactCharField(_("keyed hash"), max_length=64, primary_key=True)
    count = models.PositiveIntegerField(_("count"))
    ends_at = models.DateTimeField(_("window ends at"), db_index=True)

    class Meta:
        verbose_name = _("count of attempts")
        verbose_name_plural = _("counts of attempts")

    def __str__(self) -> str:
        return f"{self.count} until {self.ends_at:%Y-%m-%d %H:%M:%S %Z}"
