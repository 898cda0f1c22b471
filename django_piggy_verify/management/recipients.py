"""Read the address or number that an operator has typed."""

from django.core.management.base import CommandError

from django_piggy_verify import recipients


def typed(text: str, *, is_sent: bool) -> str:
    """
    Return `text` in its one spelling. Raises CommandError if it has none.

    If no code `is_sent` there, numbers of all countries have a spelling.
    """
    read = recipients.normalise if is_sent else recipients.identify
    try:
        return read(text)
    except ValueError as error:
        raise CommandError(
            "This is not an email address, and not a mobile number of a country in "
            "PIGGY_VERIFY_SMS_COUNTRIES."
        ) from error
