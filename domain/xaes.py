"""XAES-256-GCM as C2SP specifies it (https://c2sp.org/XAES-256-GCM): AES-256-GCM with a nonce long enough to be random.

The one cipher of the house: `credential_encryption.py` seals credentials with it and `key_ring.py` wraps data keys.
A fresh AES key is derived for each message, so there is no count of messages to keep and nothing to run out of.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.cmac import CMAC

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 24
TAG_BYTES: Final = 16


class Unopenable(Exception):
    """The text isn't what this key sealed with these associated data; which of the three differs can't be told."""


def seal(key: bytes, plaintext: bytes, associated_data: bytes) -> str:
    """base64url(nonce ‖ ciphertext ‖ tag) under a new random nonce, without padding."""
    nonce = os.urandom(NONCE_BYTES)
    return _to_text(nonce + encrypt(key, nonce, plaintext, associated_data))


def unseal(key: bytes, sealed: str, associated_data: bytes) -> bytes:
    """The plaintext of what `seal` gave. Raises Unopenable for all else, also another spelling of the same bytes."""
    raw = _from_text(sealed)
    if len(raw) < NONCE_BYTES + TAG_BYTES:
        raise Unopenable
    try:
        return decrypt(key, raw[:NONCE_BYTES], raw[NONCE_BYTES:], associated_data)
    except InvalidTag as error:
        raise Unopenable from error


def bind(*parts: str) -> bytes:
    """Associated data that no other list of parts gives: each part in UTF-8 after its length (4 bytes)."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4) + part for part in encoded)


def encrypt(key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
    """ciphertext ‖ tag. A nonce must never serve twice with a key: `seal` takes care of that."""
    return _message_cipher(key, nonce).encrypt(nonce[12:], plaintext, associated_data)


def decrypt(key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes:
    """The plaintext; raises cryptography's InvalidTag if anything differs from what was encrypted."""
    return _message_cipher(key, nonce).decrypt(nonce[12:], ciphertext, associated_data)


def _message_cipher(key: bytes, nonce: bytes) -> AESGCM:
    """AES-256-GCM under this message's key, derived as NIST SP 800-108 says: counter, label `X`, half the nonce."""
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError(f"XAES-256-GCM takes a key of {KEY_BYTES} bytes and a nonce of {NONCE_BYTES}.")
    halves = []
    for counter in (b"\0\1", b"\0\2"):
        mac = CMAC(algorithms.AES(key))
        mac.update(counter + b"X\0" + nonce[:12])
        halves.append(mac.finalize())
    return AESGCM(b"".join(halves))


def _to_text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _from_text(text: str) -> bytes:
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise Unopenable from error
    # The decoder skips foreign characters and ignores spare bits; only the one canonical spelling counts.
    if _to_text(raw) != text:
        raise Unopenable
    return raw
