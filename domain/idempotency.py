"""IdempotentCall: a creating call that its client may send again when it didn't hear the answer.

Used by ServiceConnectionManager and UserService. The key is kept in the transaction that creates, so that of two equal
calls, also of two at the same time, one creates and both get what it made.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from domain.entities.health import Json
from domain.entities.user import Viewer
from domain.errors import IdempotencyKeyReused, InvalidInput
from domain.ports import UnitOfWork
from domain.secret import Secret

KEY_LENGTH: Final = 255
_FIELD: Final = ("input", "idempotencyKey")


@dataclass(frozen=True, slots=True)
class IdempotentCall:
    """One call: whose, of what, with which input. Without a key every call is a first one."""

    user_id: UUID
    operation: str
    key: str | None
    input_hash: bytes = field(repr=False)

    @classmethod
    def of(cls, viewer: Viewer, operation: str, key: str | None, **arguments: Json | Secret) -> Self:
        """`arguments`: all that tells this call from another. Raises InvalidInput."""
        if key is not None and not (1 <= len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()):
            raise InvalidInput(
                f"An idempotency key has 1 to {KEY_LENGTH} printable ASCII characters; a random UUID does well.", _FIELD
            )
        written = json.dumps(arguments, sort_keys=True, separators=(",", ":"), default=_digest)
        return cls(viewer.user_id, operation, key, hashlib.sha256(written.encode()).digest())

    async def earlier_result(self, unit: UnitOfWork) -> UUID | None:
        """The id of what this very call created before. Raises IdempotencyKeyReused for a call with another input."""
        if self.key is None:
            return None
        found = await unit.idempotency_keys.find(self.user_id, self.operation, self.key)
        if found is None:
            return None
        input_hash, result_id = found
        if not hmac.compare_digest(input_hash, self.input_hash):
            raise IdempotencyKeyReused(
                "This idempotency key was used before, with another input. Take a new key for a new call.", _FIELD
            )
        return result_id

    async def claim(self, unit: UnitOfWork, organization_id: UUID, result_id: UUID, now: datetime) -> bool:
        """Whether this call is the one to create. False: another took the key, and by now its result can be found."""
        return self.key is None or await unit.idempotency_keys.add(
            user_id=self.user_id,
            operation=self.operation,
            key=self.key,
            organization_id=organization_id,
            input_hash=self.input_hash,
            result_id=result_id,
            now=now,
        )


def _digest(secret: Secret) -> str:
    """How a secret goes into the hash: not even this module writes one down."""
    return hashlib.sha256(secret.reveal().encode()).hexdigest()
