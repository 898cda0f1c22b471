"""Contacts: how old the token is, never the token, and how far the limits are."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import display_for_value
from django.contrib.auth import get_permission_codename
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import (
    gettext,
    gettext_lazy as _,
    ngettext,
    pgettext_lazy,
)

from django_piggy_verify.admin.base import LIMITS, Filter
from django_piggy_verify.admin.buttons import ButtonAdmin
from django_piggy_verify.auth_tokens import cache
from django_piggy_verify.auth_tokens.cache import Freshness
from django_piggy_verify.limits.fixed_windows import Usage
from django_piggy_verify.models import AuthToken, Contact


class TokenFilter(Filter):
    """Contacts by the state of their token."""

    title = _("auth token")
    parameter_name = "token"
    words = Freshness.choices

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Contact]
    ) -> QuerySet[Contact]:
        """Narrow the list down, by the rule that the token is refreshed by."""
        word = self.value() or ""
        if word not in Freshness.values:
            return queryset
        return queryset.filter(cache.contacts_with(Freshness(word)))


@admin.register(Contact)
class ContactAdmin(ButtonAdmin):
    """
    Contacts, searchable by address and id, with the state of their token.

    Its actions ask for the permission to change contacts: they change none, but
    what is stored about them. None calls the provider. What they call is imported
    by them: finding the admin must not load the whole flow.
    """

    list_display = ("email", "verified_at", "token_state", "user", "uid", "provider")
    list_filter = ("provider", TokenFilter)
    search_fields = ("email", "uid")
    date_hierarchy = "verified_at"
    actions = ("forget_tokens", "unlock")
    buttons = ("unlock", "forget_tokens")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "user",
                    "provider",
                    "uid",
                    "email",
                    "phone",
                    "created_at",
                    "verified_at",
                    "token_state",
                )
            },
        ),
        (
            pgettext_lazy("counts", "Limits"),
            {
                "fields": ("limits",),
                "description": _(
                    "What is counted for this address. Browsers that the member has "
                    "logged in with before have counts of their own."
                ),
            },
        ),
    )

    @admin.display(description=_("auth token"))
    def token_state(self, contact: Contact) -> str:
        """Answer whether a token is cached and how long it serves, in a word."""
        token: AuthToken | None = getattr(contact, "auth_token", None)
        return str(cache.freshness(token.expires_at if token else None).label)

    @admin.display(description=pgettext_lazy("counts", "counted"))
    def limits(self, contact: Contact) -> str:
        """Answer how far the contact's address is under each limit, line by line."""
        from django_piggy_verify.login import rate_limits  # noqa: PLC0415

        return "\n".join(map(_line, rate_limits.usage_of(contact.email)))

    @admin.action(permissions=["act"], description=_("Forget the auth token"))
    def forget_tokens(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        """Drop the cached tokens: the next ones are fetched when they are needed."""
        from django_piggy_verify import tokens  # noqa: PLC0415

        done = gettext("Forgot the auth token.")
        count = self._act(request, queryset, tokens.forget, done)
        text = ngettext(
            "%(count)d auth token was forgotten.",
            "%(count)d auth tokens were forgotten.",
            count,
        )
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    @admin.action(
        permissions=["act"], description=_("Unlock: clear the limits of this address")
    )
    def unlock(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        """Clear what was counted, as ``manage.py piggy_verify_unlock`` does."""
        from django_piggy_verify.login import rate_limits  # noqa: PLC0415

        done = gettext("Cleared the limits of the address.")
        count = self._act(
            request, queryset, lambda each: rate_limits.unlock(each.email), done
        )
        text = ngettext(
            "%(count)d limit was cleared.", "%(count)d limits were cleared.", count
        )
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Whether the staff member might change contacts, if these were changeable."""
        codename = get_permission_codename("change", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read the token's times with the contact; the ciphertext stays where it is."""
        contacts = super().get_queryset(request).select_related("user", "auth_token")
        return contacts.defer("auth_token__ciphertext")

    def _act(
        self,
        request: HttpRequest,
        contacts: QuerySet[Contact],
        act: Callable[[Contact], int],
        done: str,
    ) -> int:
        """Act on one contact after the other, and note each in the admin's log."""
        count = 0
        for contact in contacts:
            if changed := act(contact):
                self.log_change(request, contact, done)
                count += changed
        return count


def _line(standing: Usage) -> str:
    """Say how far one limit is."""
    values: dict[str, Any] = {
        "limit": LIMITS[standing.limit],
        "number": standing.number,
        "allowed": standing.allowed,
    }
    if standing.ends_at is None:
        return gettext("%(limit)s: %(number)d of %(allowed)d") % values
    values["until"] = display_for_value(standing.ends_at, "")
    return gettext("%(limit)s: %(number)d of %(allowed)d, until %(until)s") % values
