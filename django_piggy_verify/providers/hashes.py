"""Make the hashes that a vendor asks for: PKCE, and the digest of a request."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from secrets import token_urlsafe

from django_piggy_verify.http import client
from django_piggy_verify.secret import Secret, SecretBytes


def new_verifier() -> Secret:
    """
    Return a new code verifier: 43 characters that are made of 32 random bytes.

    Source: RFC 7636 section 4.1.
    """
    return Secret(token_urlsafe(32))


def challenge_of(verifier: Secret) -> Secret:
    """
    Return the code challenge for a code verifier, with the method S256.

    Source: RFC 7636 section 4.2.
    """
    hashed = SecretBytes(sha256(verifier.encode()).digest())
    return Secret(urlsafe_b64encode(hashed).decode().rstrip("="))


def request_digest(key: Secret, path: str, content: Mapping[str, object]) -> Secret:
    """
    Return the HMAC-SHA256 of a path and a JSON body, in hexadecimal digits.

    The body has the bytes that `client.call` sends for `content`.
    """
    message = SecretBytes(path.encode() + client.json_body(content))
    return Secret(hmac.digest(SecretBytes(key.encode()), message, "sha256").hex())
