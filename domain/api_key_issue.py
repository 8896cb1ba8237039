"""ApiKeyIssue: members make keys for themselves and revoke them; owners revoke anyone's.

Called by the mutations createApiKey and revokeApiKey. Such a key acts in the organization that issued it alone. Those
that the operator issues are in `user_service.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.api_key import generate_api_key
from domain.authorization import authorize_alone, authorize_api_key
from domain.entities.audit import AuditAction, AuditRecord
from domain.entities.event import Actor
from domain.entities.identifiers import new_id
from domain.entities.text import clean_name
from domain.entities.user import Action, ApiKey, Role, Viewer
from domain.errors import InvalidInput, NotFound, Unauthenticated
from domain.idempotency import IdempotentCall
from domain.ports import UnitOfWork, UnitsOfWork
from domain.secret import Secret


@dataclass(frozen=True, slots=True)
class IssuedApiKey:
    """The key's id, and its token, which is told this once; None where an equal call made the key before."""

    id: UUID
    token: Secret | None


class ApiKeyIssue:
    """One a process. `forget_keys`: have it forget whose these keys are."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        clock: Callable[[], datetime],
        forget_keys: Callable[[Sequence[UUID]], None],
    ) -> None:
        self._units_of_work = units_of_work
        self._clock = clock
        self._forget_keys = forget_keys

    async def create_api_key(
        self,
        viewer: Viewer,
        organization_id: UUID,
        name: str,
        role: Role,
        *,
        expires_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> IssuedApiKey:
        """A new key of the viewer's user. It is neither above whoever makes it, nor lasts longer than a key that does.

        Raises NotFound, Forbidden, InvalidInput, IdempotencyKeyReused, and Unauthenticated for a key that has ended.
        """
        call = IdempotentCall.of(
            viewer,
            "createApiKey",
            idempotency_key,
            organization=str(organization_id),
            name=name,
            role=role.value,
            expires_at=None if expires_at is None else expires_at.isoformat(),
        )
        async with self._units_of_work.writing(organization_id) as unit:
            acting = await authorize_alone(unit, viewer, organization_id, Action.MANAGE_OWN_KEYS)
            earlier = await call.earlier_result(unit)
            if earlier is not None:
                return IssuedApiKey(earlier, None)
            if not acting.covers(role):
                raise InvalidInput(
                    f"You act in the organization as {acting}, and no key of yours is more than that.",
                    ("input", "role"),
                )
            now, new_key = self._clock(), generate_api_key(new_id())
            key = ApiKey(
                id=new_key.id,
                organization_id=organization_id,
                user_id=viewer.user_id,
                name=clean_name(name, ("input", "name")),
                role=role,
                secret_hash=new_key.secret_hash,
                created_at=now,
                expires_at=await _end(unit, viewer, expires_at, now),
                confined=True,
                made_by=viewer.api_key_id,
            )
            await unit.api_keys.add(key)
            await unit.audit.add(AuditRecord.of_api_key(Actor.of(viewer), key, AuditAction.API_KEY_CREATED, now))
            if await call.claim(unit, organization_id, key.id, now):
                await unit.commit()
                return IssuedApiKey(key.id, new_key.token)
            return await _issued_before(unit, call)

    async def revoke_api_key(self, viewer: Viewer, key_id: UUID) -> UUID:
        """End a key for good, and those that were made with it; the organization that issued it.

        One that was revoked before stays so. Raises NotFound and Forbidden.
        """
        async with self._units_of_work.writing_everywhere() as unit:
            key = await authorize_api_key(unit, viewer, key_id)
            now = self._clock()
            revoked = await unit.api_keys.revoke(key.id, now)
            for each in revoked:
                by = {} if each.id == key.id else {"by": "maker"}
                await unit.audit.add(
                    AuditRecord.of_api_key(Actor.of(viewer), each, AuditAction.API_KEY_REVOKED, now, **by)
                )
            await unit.commit()
        self._forget_keys([key.id, *(each.id for each in revoked)])
        return key.organization_id


async def _end(unit: UnitOfWork, viewer: Viewer, wanted: datetime | None, now: datetime) -> datetime | None:
    """When the new key ends. One that a key makes doesn't outlive it: else a key that is lost would never end."""
    field = ("input", "expiresAt")
    if wanted is not None and wanted <= now:
        raise InvalidInput("A key ends at a moment that is still to come.", field)
    if viewer.api_key_id is None:
        return wanted
    maker = await unit.api_keys.maker(viewer.api_key_id)
    if maker is None or not maker.usable_at(now):
        raise Unauthenticated("This API key has ended.")
    limit = maker.expires_at
    if limit is not None and wanted is not None and wanted > limit:
        raise InvalidInput("A key that is made with a key ends when that one does, or earlier.", field)
    return wanted or limit


async def _issued_before(unit: UnitOfWork, call: IdempotentCall) -> IssuedApiKey:
    """What an equal call at the same time has made."""
    earlier = await call.earlier_result(unit)
    if earlier is None:
        raise NotFound.api_key()
    return IssuedApiKey(earlier, None)
