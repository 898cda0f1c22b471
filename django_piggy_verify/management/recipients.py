"""Read the address or number that an operator has typed."""

from django.core.management.base import CommandError

from django_piggy_verify import recipients


def typed(text: str) -> str:
    """Return `text` in its one spelling. Raises CommandError if it has none."""
    try:
        return recipients.normalise(text)
    except ValueError as error:
        raise CommandError(
            "This is not an email address, and not a mobile number of a country in "
            "PIGGY_VERIFY_SMS_COUNTRIES."
        ) from error
