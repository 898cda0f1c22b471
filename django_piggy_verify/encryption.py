"""
Encrypt texts at rest: AES-256-GCM with a key ring, each text bound to its owner.

`cryptography` is imported at first use, because most processes that load Django
never decrypt a text.
"""

import base64
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.utils.crypto import salted_hmac

from django_piggy_verify.conf import conf
from django_piggy_verify.secret import Secret, SecretBytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION: Final = b"\x01"
_NONCE: Final = 12
"""Bytes: NIST SP 800-38D section 8.2.2."""
_SALT: Final = "django_piggy_verify.encryption"


def encrypt(text: str, *, bound_to: str) -> bytes:
    """Encrypt `text` with the newest key. Only the same `bound_to` decrypts it."""
    nonce = os.urandom(_NONCE)
    newest, *_older = _ciphers()
    return _VERSION + nonce + newest.encrypt(nonce, text.encode(), bound_to.encode())


def decrypt(sealed: bytes, *, bound_to: str) -> Secret | None:
    """Return the text, or None if no key of the ring decrypts it for `bound_to`."""
    return _open(sealed, bound_to, _ciphers())


def is_current(sealed: bytes, *, bound_to: str) -> bool:
    """Return whether the newest key decrypts the text. If so, it needs no older key."""
    return _open(sealed, bound_to, _ciphers()[:1]) is not None


def secret_keys() -> Iterator[Secret | SecretBytes]:
    """Return the secret key of the project and its fallbacks, hidden, newest first."""
    return map(_hidden, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


def read_key(text: str) -> bytes:
    """Return the 32 bytes of a key in url-safe base64, or raise ValueError."""
    text = Secret(text)
    if len(_decode(text)) != 32:  # noqa: PLR2004
        raise ValueError("a key has 32 bytes")
    return _decode(text)


def _hidden(key: str | bytes) -> Secret | SecretBytes:
    return SecretBytes(key) if isinstance(key, bytes) else Secret(key)


def _decode(text: Secret) -> bytes:
    return base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)


def _open(sealed: bytes, bound_to: str, ciphers: "list[AESGCM]") -> Secret | None:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415

    version, nonce, body = sealed[:1], sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    if version != _VERSION or not body:
        return None
    for cipher in ciphers:
        try:
            text = SecretBytes(cipher.decrypt(nonce, body, bound_to.encode()))
        except InvalidTag:
            continue
        return Secret(text.decode())
    return None


def _ciphers() -> "list[AESGCM]":
    """Return a cipher for each key, newest first. No key stays in a frame."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return list(map(AESGCM, _keys()))


def _keys() -> Iterator[bytes]:
    if conf.encryption_keys:
        yield from map(read_key, conf.encryption_keys)
        return
    for secret in secret_keys():
        yield salted_hmac(_SALT, "key", secret=secret, algorithm="sha256").digest()
