"""The links that Transmit mails, and what happens when somebody follows one."""

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from django_piggy_verify.sandbox.emulator import Sandbox
from django_piggy_verify.sandbox.records import Mail, Verdict

REDIRECT_URI: Final = "redirect_uri"
UPDATE_PRIMARY: Final = "update_primary"


def is_web_page(value: object) -> bool:
    """Return whether this is an absolute URL with http or https."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        return False
    try:
        url = urlsplit(value)
    except ValueError:  # such as "https://["
        return False
    return url.scheme in {"http", "https"} and bool(url.netloc) and " " not in value


def follow(sandbox: Sandbox, token: str) -> str | None:
    """
    Verify the address of a link, and return the URL to which the browser is redirected.

    The URL contains `result=false` if the link was used, if it is expired, or if the
    address is verified for another user. All three are guesses. Another guess is that
    only the link in the newest mail to an address works. Return None for an unknown
    link.

    Source: `redirect_uri` of "Send email link", Verification API of Transmit.
    """
    mail = sandbox.mailbox.with_link(token)
    if mail is None:
        return None
    uri = str(mail.request[REDIRECT_URI])
    return _with_result(uri, is_verified=_verify(sandbox, mail))


def _verify(sandbox: Sandbox, mail: Mail) -> bool:
    """Write the address into the profile, if this is the newest mail to the address."""
    if sandbox.judge(mail.recipient, mail.code) != Verdict.RIGHT:
        return False
    update_primary = mail.request.get(UPDATE_PRIMARY) is True
    return sandbox.users.verify(
        mail.owner, mail.recipient, update_primary=update_primary
    )


def _with_result(uri: str, *, is_verified: bool) -> str:
    """Add the result to the query of a URL."""
    url = urlsplit(uri)
    result = ("result", "true" if is_verified else "false")
    fields = [*parse_qsl(url.query, keep_blank_values=True), result]
    return url._replace(query=urlencode(fields)).geturl()
