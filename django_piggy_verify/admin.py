"""The read-only admin: who is a contact, and how old the token is; never the token."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy as _

from django_piggy_verify.models import AuthToken, Contact


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """An admin that shows and deletes, but writes nothing."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody makes a contact or a token by hand."""
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        """Nobody changes one by hand."""
        return False


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    """Contacts, searchable by address and id, with the state of their token."""

    list_display = ("email", "provider", "uid", "user", "verified_at", "token_state")
    list_filter = ("provider",)
    search_fields = ("email", "uid")
    list_select_related = ("user", "auth_token")
    date_hierarchy = "verified_at"
    fields = (
        "user",
        "provider",
        "uid",
        "email",
        "phone",
        "created_at",
        "verified_at",
        "token_state",
    )

    @admin.display(description=_("auth token"))
    def token_state(self, contact: Contact) -> str:
        """Answer whether a token is cached and still serves, in a word."""
        token: AuthToken | None = getattr(contact, "auth_token", None)
        if token is None:
            return gettext("none")
        if token.expires_at <= timezone.now():
            return gettext("expired")
        return gettext("fresh")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave the ciphertext in the database."""
        return super().get_queryset(request).defer("auth_token__ciphertext")
