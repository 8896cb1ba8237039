"""KeyRing: the data keys that seal credentials, each stored wrapped by the operator's encryption key (a key provider).

Built by the composition root from the rows of the data-key table; `credential_encryption.py` seals and opens with it.
Changing the operator's key re-wraps these few rows and touches no credential.
"""

import hmac
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Protocol

from domain import xaes
from domain.errors import EncryptionKeyMismatch

DATA_KEY_ID_PATTERN: Final = "[0-9a-f]{16}"  # stands inside every sealed credential
_WRAP_VERSION: Final = "v1"
_DEVELOPMENT_PREFIX: Final = "development:"
_STANDARD_ALPHABET: Final = str.maketrans("-_", "+/")


class KeyProvider(Protocol):
    """What holds the operator's encryption key and wraps data keys with it: the environment, a file, a key service."""

    @property
    def id(self) -> str:
        """Names the encryption key without giving it away, so that a wrong one is recognized."""

    def wrap(self, data_key: bytes, data_key_id: str) -> str:
        """The data key as text to store, bound to its id."""

    def unwrap(self, wrapped: str, data_key_id: str) -> bytes:
        """The data key again. Raises EncryptionKeyMismatch if it wasn't this key, or wasn't for this id."""


class DataKeyState(StrEnum):
    """Where a data key stands in its life. A key opens in every state; once no credential uses it, its row goes."""

    PENDING = "PENDING"  # new: opens only, until every process has it
    PRIMARY = "PRIMARY"  # seals
    RETIRING = "RETIRING"  # replaced: opens what isn't sealed anew yet


@dataclass(frozen=True, slots=True)
class DataKey:
    """A row of the data-key table. `wrapped` is what the provider named by `provider_id` made of the key."""

    id: str
    wrapped: str = field(repr=False)
    provider_id: str
    state: DataKeyState
    created_at: datetime


class KeyRing:
    """The data keys of a database, unwrapped, of which `primary_id` seals.

    Raises EncryptionKeyMismatch if the provider isn't the one that wrapped them, and ValueError unless exactly one
    is PRIMARY.
    """

    def __init__(self, data_keys: Iterable[DataKey], provider: KeyProvider) -> None:
        rows = tuple(data_keys)
        primaries = [row.id for row in rows if row.state is DataKeyState.PRIMARY]
        if len(primaries) != 1:
            raise ValueError(f"A key ring needs exactly one PRIMARY data key; there are {len(primaries)}.")
        self.primary_id: Final = primaries[0]
        self._keys: Final = {row.id: _unwrap(row, provider) for row in rows}

    @staticmethod
    def generate(provider: KeyProvider) -> DataKey:
        """A new wrapped data key, the PRIMARY of a database that has none yet: store it, then build the ring."""
        data_key_id = secrets.token_hex(8)
        return DataKey(
            id=data_key_id,
            wrapped=provider.wrap(os.urandom(xaes.KEY_BYTES), data_key_id),
            provider_id=provider.id,
            state=DataKeyState.PRIMARY,
            created_at=datetime.now(UTC),
        )

    def key(self, key_id: str) -> bytes:
        """The data key of that id, 32 bytes. Raises KeyError if the ring hasn't got it."""
        return self._keys[key_id]


def _unwrap(row: DataKey, provider: KeyProvider) -> bytes:
    if row.provider_id != provider.id:
        raise EncryptionKeyMismatch(
            f"The encryption key ({provider.id}) isn't the one that this database was set up with ({row.provider_id}). "
            "Configure that one again: without it, the stored credentials can't be opened."
        )
    return provider.unwrap(row.wrapped, row.id)


class LocalKeyProvider:
    """Wraps with a 32-byte key that the operator gave by environment or file. Raises ValueError for another length."""

    def __init__(self, key: bytes) -> None:
        if len(key) != xaes.KEY_BYTES:
            raise ValueError(f"The encryption key must be {xaes.KEY_BYTES} bytes; it is {len(key)}.")
        self._key: Final = key
        self.id: Final = f"local:{hmac.digest(key, b'tether key-encryption key id', 'sha256').hex()[:12]}"

    def wrap(self, data_key: bytes, data_key_id: str) -> str:
        """`v1.<base64url(nonce ‖ ciphertext ‖ tag)>`."""
        return f"{_WRAP_VERSION}.{xaes.seal(self._key, data_key, _wrap_data(data_key_id))}"

    def unwrap(self, wrapped: str, data_key_id: str) -> bytes:
        """The data key again. Raises EncryptionKeyMismatch for every other text or id."""
        version, _, sealed = wrapped.partition(".")
        try:
            if version != _WRAP_VERSION:
                raise xaes.Unopenable
            return xaes.unseal(self._key, sealed, _wrap_data(data_key_id))
        except xaes.Unopenable as error:
            raise EncryptionKeyMismatch(
                f"The encryption key ({self.id}) doesn't open the stored data key {data_key_id}: "
                "it isn't the key that this database was set up with, or the row was altered."
            ) from error


def _wrap_data(data_key_id: str) -> bytes:
    return xaes.bind("tether data key", _WRAP_VERSION, data_key_id)


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """The operator's key as read from the settings. `development`: made by `make serve`; production refuses it."""

    key: bytes = field(repr=False)
    development: bool


def generate_key(*, development: bool = False) -> str:
    """The text of a new encryption key: base64 of 32 random bytes, a development one with `development:` before it."""
    prefix = _DEVELOPMENT_PREFIX if development else ""
    return prefix + b64encode(os.urandom(xaes.KEY_BYTES)).decode()


def parse_key(text: str) -> EncryptionKey:
    """Reads standard or URL-safe base64 of 32 bytes, padded or not, with white space around it.

    Raises ValueError with a message that says what is wrong, and never repeats the text.
    """
    stripped = text.strip()
    encoded = stripped.removeprefix(_DEVELOPMENT_PREFIX)
    if not encoded:
        raise ValueError("The encryption key is empty.")
    unpadded = encoded.translate(_STANDARD_ALPHABET).rstrip("=")
    try:
        key = b64decode(unpadded + "=" * (-len(unpadded) % 4), validate=True)
    except ValueError:
        raise ValueError(f"The encryption key isn't base64. It must be {xaes.KEY_BYTES} bytes, in base64.") from None
    if len(key) != xaes.KEY_BYTES:
        raise ValueError(f"The encryption key must be {xaes.KEY_BYTES} bytes, in base64; it is {len(key)}.")
    return EncryptionKey(key=key, development=encoded != stripped)
