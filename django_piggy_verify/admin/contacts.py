"""
The admin of contacts, with the state of the auth token and the counts.

The admin never shows a token.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.utils import display_for_value
from django.contrib.auth import get_permission_codename
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import (
    gettext,
    gettext_lazy as _,
    ngettext,
    pgettext_lazy,
)

from django_piggy_verify import recipients
from django_piggy_verify.admin.base import LIMITS, LISTED, Filter
from django_piggy_verify.admin.buttons import ButtonAdmin
from django_piggy_verify.auth_tokens import cache
from django_piggy_verify.auth_tokens.cache import Freshness
from django_piggy_verify.db.indexes import lowered
from django_piggy_verify.limits.fixed_windows import Usage
from django_piggy_verify.models import AuthToken, Consent, Contact

_SHOWN_CONSENTS: Final = 100
"""The maximum number of consents on the page of a contact."""


class TokenFilter(Filter):
    """Filters contacts by the state of their token."""

    title = _("auth token")
    parameter_name = "token"
    words = Freshness.choices

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Contact]
    ) -> QuerySet[Contact]:
        """Return the contacts whose token is in the chosen state."""
        word = self.value() or ""
        if word not in Freshness.values:
            return queryset
        return queryset.filter(cache.contacts_with(Freshness(word)))


class ProviderFilter(Filter):
    """Filters contacts by their provider, if there are several providers."""

    title = _("provider")
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Return the providers that have contacts."""
        found = list(_providers())
        return [(each, each) for each in found] if len(found) > 1 else []

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Contact]
    ) -> QuerySet[Contact]:
        """Return the contacts of the chosen provider."""
        return queryset.filter(provider=self.value()) if self.value() else queryset


def _providers() -> Iterator[str]:
    """Yield each name in order. One query per name uses the index, not every row."""
    names = Contact.objects.order_by("provider").values_list("provider", flat=True)
    name = names.first()
    while name is not None:
        yield name
        name = names.filter(provider__gt=name).first()


def _keys_of(term: str) -> Iterator[int]:
    """Yield the primary keys of the contacts with this address, number or id."""
    address, spellings = lowered("email", Contact.objects.db), _spellings(term)
    contacts = Contact.objects.alias(address=address)
    named = Q(address__in=spellings) | Q(phone__in=spellings) | Q(uid=term.strip())
    yield from contacts.filter(named).values_list("pk", flat=True)[:LISTED]


def _spellings(term: str) -> set[str]:
    """Return the spellings in lower case that may be stored for this recipient."""
    spellings = {term.strip().lower()}
    with suppress(ValueError):
        spellings.add(recipients.key(recipients.normalise(term)))
    return spellings


def _recipients_of(contact: Contact) -> list[str]:
    """Return the address and the number that were proved."""
    return [each for each in (contact.email, contact.phone) if each]


@admin.register(Contact)
class ContactAdmin(ButtonAdmin):
    """
    The admin of contacts, with a search by address, number and id.

    The actions require the permission to change contacts. They change the tokens and
    the counts of a contact, and do not call the provider. They import the modules of
    the login when they run, so that each process starts fast.
    """

    list_display = (
        *("email", "phone", "verified_at", "token_state", "user", "uid", "provider"),
    )
    list_display_links = ("email", "phone")
    list_filter = ("verified_at", ProviderFilter, TokenFilter)
    search_fields = ("email", "phone", "uid")
    search_help_text = _(
        "The whole email address, the whole phone number, or the whole id at the "
        "provider."
    )
    ordering = ("-verified_at",)
    sortable_by = ("verified_at",)
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
                    "given_consents",
                )
            },
        ),
        (
            pgettext_lazy("counts", "Limits"),
            {
                "fields": ("limits",),
                "description": _(
                    "The counts of this recipient. Browsers that the member has logged "
                    "in with before have their own counts."
                ),
            },
        ),
    )

    @admin.display(description=_("auth token"))
    def token_state(self, contact: Contact) -> str:
        """Return the state of the contact's token in a word."""
        token: AuthToken | None = getattr(contact, "auth_token", None)
        return str(cache.freshness(token.expires_at if token else None).label)

    @admin.display(description=_("consents"))
    def given_consents(self, contact: Contact) -> str:
        """Return the consents of the contact, the newest in the first line."""
        given = contact.consents.order_by("-given_at", "-pk")[:_SHOWN_CONSENTS]
        return "\n".join(map(_line_of_consent, given)) or "-"

    @admin.display(description=pgettext_lazy("counts", "counted"))
    def limits(self, contact: Contact) -> str:
        """Return the counts of the address and the number, a limit in each line."""
        from django_piggy_verify.login import rate_limits  # noqa: PLC0415

        lines: list[str] = []
        for each in _recipients_of(contact):
            lines += [each, *map(_line, rate_limits.usage_of(each))]
        return "\n".join(lines)

    @admin.action(permissions=["act"], description=_("Forget the auth token"))
    def forget_tokens(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        """Delete the cached tokens. New ones are fetched when they are needed."""
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
        permissions=["act"], description=_("Unlock: clear the limits of this recipient")
    )
    def unlock(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        """Clear the counts, as ``manage.py piggy_verify_unlock`` does."""
        from django_piggy_verify.login import rate_limits  # noqa: PLC0415

        def clear(contact: Contact) -> int:
            return sum(map(rate_limits.unlock, _recipients_of(contact)))

        done = gettext("Cleared the limits of the recipient.")
        count = self._act(request, queryset, clear, done)
        text = ngettext(
            "%(count)d limit was cleared.", "%(count)d limits were cleared.", count
        )
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    def has_use(self, action: str, shown: Contact) -> bool:
        """Return False for the button that forgets a token if there is none."""
        if action == "forget_tokens":
            return hasattr(shown, "auth_token")
        return super().has_use(action, shown)

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Return whether the staff member has the permission to change contacts."""
        codename = get_permission_codename("change", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """
        Find an address in any case, a number in any spelling, or an id.

        The first query finds the keys, and the second query reads the rows in the order
        of the list. With a single query, a database may read all rows in that order
        instead of using an index.
        """
        if search_term:
            queryset = queryset.filter(pk__in=list(_keys_of(search_term)))
        return queryset, False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read the times of the token with the contact, without the ciphertexts."""
        contacts = super().get_queryset(request).select_related("user", "auth_token")
        return contacts.defer(
            "auth_token__ciphertext", "auth_token__refresh_ciphertext"
        )

    def _act(
        self,
        request: HttpRequest,
        contacts: QuerySet[Contact],
        act: Callable[[Contact], int],
        done: str,
    ) -> int:
        """Call `act` for each contact, and write each change to the admin's log."""
        count = 0
        for contact in contacts:
            if changed := act(contact):
                self.log_change(request, contact, done)
                count += changed
        return count


def _line_of_consent(consent: Consent) -> str:
    return f"{consent}, {display_for_value(consent.given_at, '')}"


def _line(usage: Usage) -> str:
    """Return the line of one limit."""
    values: dict[str, Any] = {
        "limit": LIMITS[usage.limit],
        "number": usage.number,
        "allowed": usage.allowed,
    }
    if usage.ends_at is None:
        return gettext("%(limit)s: %(number)d of %(allowed)d") % values
    values["until"] = display_for_value(usage.ends_at, "")
    return gettext("%(limit)s: %(number)d of %(allowed)d, until %(until)s") % values
