"""CredentialEncryption: seals a credential so that it opens only where it belongs. For the manager and health checks.

A sealed credential reads `v1.<data key id>.<base64url(nonce ‖ ciphertext ‖ tag)>` (XAES-256-GCM). Organization,
connection and field are bound into it: copied to another row, it doesn't open.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from domain import xaes
from domain.errors import CredentialUnreadable
from domain.key_ring import DATA_KEY_ID_PATTERN, KeyRing
from domain.secret import Secret

_PURPOSE: Final = "tether credential"
_VERSION: Final = "v1"
_FORM: Final = re.compile(rf"{_VERSION}\.({DATA_KEY_ID_PATTERN})\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A sealed credential as it is stored: `blob` is the whole text, left out of logs all the same."""

    blob: str = field(repr=False)

    @property
    def key_id(self) -> str:
        """The id of the data key that opens it, for its own column. Raises CredentialUnreadable if malformed."""
        return _split(self)[0]


class CredentialEncryption:
    """Seals with the ring's primary data key and opens with any. One blob holds a whole credential (a JSON object)."""

    def __init__(self, key_ring: KeyRing) -> None:
        self._key_ring = key_ring

    def seal(self, secret: Secret, *, organization_id: UUID, connection_id: UUID, field: str) -> SealedSecret:
        """The secret, bound to the place that it will be stored in."""
        key_id = self._key_ring.primary_id
        sealed = xaes.seal(
            self._key_ring.key(key_id),
            secret.reveal().encode(),
            _associated_data(key_id, organization_id, connection_id, field),
        )
        return SealedSecret(f"{_VERSION}.{key_id}.{sealed}")

    def open(self, sealed: SealedSecret, *, organization_id: UUID, connection_id: UUID, field: str) -> Secret:
        """The secret that was sealed for this very place. Raises CredentialUnreadable for every other text or place."""
        key_id, text = _split(sealed)
        try:
            key = self._key_ring.key(key_id)
        except KeyError as error:
            raise CredentialUnreadable(
                f"The stored credential was sealed with the data key {key_id}, which this server doesn't have."
            ) from error
        try:
            plaintext = xaes.unseal(key, text, _associated_data(key_id, organization_id, connection_id, field))
        except xaes.Unopenable as error:
            raise CredentialUnreadable(
                "The stored credential doesn't open: it was altered, or sealed for another connection. Enter it anew."
            ) from error
        return Secret(plaintext.decode())


def _split(sealed: SealedSecret) -> tuple[str, str]:
    """The data key's id and the sealed text."""
    form = _FORM.fullmatch(sealed.blob)
    if form is None:
        raise CredentialUnreadable("The stored credential has a form that this server doesn't know. Enter it anew.")
    return form[1], form[2]


def _associated_data(key_id: str, organization_id: UUID, connection_id: UUID, field: str) -> bytes:
    return xaes.bind(_PURPOSE, _VERSION, key_id, str(organization_id), str(connection_id), field)
