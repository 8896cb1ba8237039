"""Our XAES-256-GCM agrees with C2SP's published vectors and with Tink, an independent implementation."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
import tink
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st
from tink import aead, secret_key_access
from tink.proto import tink_pb2, x_aes_gcm_pb2

from domain import xaes

aead.register()

KEYS = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize(
    ("key", "associated_data", "ciphertext"),
    [
        (b"\1" * 32, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (b"\3" * 32, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ],
)
def test_the_specifications_vectors(key: bytes, associated_data: bytes, ciphertext: str) -> None:
    nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX"
    assert xaes.encrypt(key, nonce, b"XAES-256-GCM", associated_data).hex() == ciphertext
    assert xaes.decrypt(key, nonce, bytes.fromhex(ciphertext), associated_data) == b"XAES-256-GCM"


def test_the_specifications_accumulated_test_of_ten_thousand_messages() -> None:
    stream = hashlib.shake_128().digest(4_000_000)
    position = 0
    ciphertexts = hashlib.shake_128()

    def take(length: int) -> bytes:
        nonlocal position
        position += length
        return stream[position - length : position]

    for _ in range(10_000):
        key, nonce = take(32), take(24)
        plaintext = take(take(1)[0])
        associated_data = take(take(1)[0])
        ciphertext = xaes.encrypt(key, nonce, plaintext, associated_data)
        assert xaes.decrypt(key, nonce, ciphertext, associated_data) == plaintext
        ciphertexts.update(ciphertext)

    assert position <= len(stream)
    assert ciphertexts.hexdigest(32) == "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"


@given(KEYS, st.binary(max_size=500), st.binary(max_size=100))
def test_tink_opens_what_we_seal_and_we_open_what_tink_seals(key: bytes, plaintext: bytes, data: bytes) -> None:
    oracle = _tink_cipher(key)
    assert oracle.decrypt(_raw(xaes.seal(key, plaintext, data)), data) == plaintext
    assert xaes.unseal(key, _text(oracle.encrypt(plaintext, data)), data) == plaintext


@given(KEYS, st.binary(max_size=60), st.binary(max_size=20), st.data())
def test_one_flipped_bit_anywhere_does_not_open(key: bytes, plaintext: bytes, data: bytes, draw: st.DataObject) -> None:
    sealed = bytearray(_raw(xaes.seal(key, plaintext, data)))
    bit = draw.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(xaes.Unopenable):
        xaes.unseal(key, _text(bytes(sealed)), data)


@given(st.data())
def test_every_truncation_does_not_open(draw: st.DataObject) -> None:
    sealed = xaes.seal(b"k" * 32, b"plaintext", b"")
    length = draw.draw(st.integers(0, len(sealed) - 1))
    with pytest.raises(xaes.Unopenable):
        xaes.unseal(b"k" * 32, sealed[:length], b"")


@pytest.mark.parametrize("length", range(1, 4))
def test_another_spelling_of_the_same_bytes_does_not_open(length: int) -> None:
    sealed = xaes.seal(b"k" * 32, b"p" * length, b"")
    padded = sealed + "=" * (-len(sealed) % 4)
    others = [sealed + "\n", f" {sealed}", sealed[:9] + "!" + sealed[9:], sealed + "é", "", "=", "A"]
    others += [padded] if padded != sealed else []
    others += [sealed[:-1] + chr(ord(sealed[-1]) + 1)] if padded != sealed else []  # the spare bits of the last digit
    for other in others:
        with pytest.raises(xaes.Unopenable):
            xaes.unseal(b"k" * 32, other, b"")


def test_each_sealing_has_a_nonce_of_its_own() -> None:
    nonces = {_raw(xaes.seal(b"k" * 32, b"", b""))[:24] for _ in range(100)}
    assert len(nonces) == 100


def test_keys_and_nonces_of_another_length_are_refused() -> None:
    for key, nonce in [(b"k" * 31, b"n" * 24), (b"k" * 16, b"n" * 24), (b"k" * 32, b"n" * 12), (b"k" * 32, b"n" * 25)]:
        with pytest.raises(ValueError, match="a key of 32 bytes and a nonce of 24"):
            xaes.encrypt(key, nonce, b"", b"")


def test_decrypting_with_another_key_raises_invalid_tag() -> None:
    with pytest.raises(InvalidTag):
        xaes.decrypt(b"l" * 32, b"n" * 24, xaes.encrypt(b"k" * 32, b"n" * 24, b"p", b""), b"")


@given(st.lists(st.text()), st.lists(st.text()))
def test_different_lists_of_parts_bind_differently(one: list[str], other: list[str]) -> None:
    assert (xaes.bind(*one) == xaes.bind(*other)) is (one == other)


def test_moving_a_letter_between_parts_binds_differently() -> None:
    assert len({xaes.bind("ab", "c"), xaes.bind("a", "bc"), xaes.bind("abc"), xaes.bind("abc", "")}) == 4


def _tink_cipher(key: bytes) -> aead.Aead:
    """Tink's XAES-256-GCM (192-bit nonce, no prefix) under this key."""
    template = aead.aead_key_templates.XAES_256_GCM_192_BIT_NONCE_NO_PREFIX
    value = x_aes_gcm_pb2.XAesGcmKey(key_value=key, params=x_aes_gcm_pb2.XAesGcmParams(salt_size=12))
    data = tink_pb2.KeyData(
        type_url=template.type_url, value=value.SerializeToString(), key_material_type=tink_pb2.KeyData.SYMMETRIC
    )
    entry = tink_pb2.Keyset.Key(
        key_data=data, status=tink_pb2.ENABLED, key_id=1, output_prefix_type=template.output_prefix_type
    )
    keyset = tink_pb2.Keyset(primary_key_id=1, key=[entry])
    return tink.proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN).primitive(aead.Aead)


def _raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
