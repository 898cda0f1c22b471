import base64

import pytest
from cryptography.fernet import Fernet
from django.views.debug import ExceptionReporter
from hypothesis import given, strategies as st

from django_piggy_verify.encryption import decrypt, encrypt, read_key

OLD, NEW = (base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2))
ANN = "piggy\0ann"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_an_encrypted_text_can_be_decrypted(text):
    assert decrypt(encrypt(text, bound_to=ANN), bound_to=ANN) == text


def test_a_ciphertext_does_not_open_for_another_contact():
    assert decrypt(encrypt("token", bound_to=ANN), bound_to="piggy\0bob") is None


def test_the_same_text_is_encrypted_differently_each_time():
    assert encrypt("token", bound_to=ANN) != encrypt("token", bound_to=ANN)


@pytest.mark.parametrize("position", range(5))
def test_a_changed_ciphertext_does_not_open(position):
    sealed = bytearray(encrypt("token", bound_to=ANN))
    sealed[position * 8] ^= 1

    assert decrypt(bytes(sealed), bound_to=ANN) is None


@given(st.binary(max_size=60))
def test_a_text_that_is_no_ciphertext_does_not_open(sealed):
    assert decrypt(sealed, bound_to=ANN) is None


def test_an_older_key_of_the_ring_still_opens(settings):
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [OLD]
    sealed = encrypt("token", bound_to=ANN)

    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [NEW, OLD]

    assert decrypt(sealed, bound_to=ANN) == "token"


def test_the_newest_key_encrypts(settings):
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [NEW, OLD]
    sealed = encrypt("token", bound_to=ANN)

    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [OLD]

    assert decrypt(sealed, bound_to=ANN) is None


def test_without_a_key_ring_secret_key_fallbacks_open(settings):
    sealed = encrypt("token", bound_to=ANN)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new secret key, which is just as long as the old one"

    assert decrypt(sealed, bound_to=ANN) == "token"


def test_a_secret_key_may_be_bytes(settings):
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = []
    sealed = encrypt("token", bound_to=ANN)
    settings.SECRET_KEY = settings.SECRET_KEY.encode()

    assert decrypt(sealed, bound_to=ANN) == "token"


def test_a_decrypted_text_has_no_repr():
    assert "token" not in repr(decrypt(encrypt("token", bound_to=ANN), bound_to=ANN))


def test_keys_of_fernet_are_accepted():
    assert len(read_key(Fernet.generate_key().decode())) == 32


def test_an_unreadable_key_ring_shows_no_key(settings, rf):
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [OLD]
    sealed = encrypt("token", bound_to=ANN)
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [NEW, OLD[:-8]]

    with pytest.raises(ValueError, match=r".") as caught:
        decrypt(sealed, bound_to=ANN)

    report = ExceptionReporter(rf.get("/"), caught.type, caught.value, caught.tb)
    frames = str(report.get_traceback_data()["frames"])
    for key in (NEW, OLD[:-8], "\\x01\\x01", "\\x02\\x02"):
        assert key not in frames


@pytest.mark.parametrize("text", ["", "short", "ü" * 44, OLD[:-4] + "====", OLD * 2])
def test_a_text_that_is_no_key_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        read_key(text)
