"""API keys as rows: the hash of the secret, never the secret.

Reached as `unit.api_keys`.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, insert, or_, select, update

from domain.entities.user import ApiKey, Role, User
from persistence.repositories.users import user_entity
from persistence.tables import api_keys, users
from persistence.transaction import Transaction

_c = api_keys.c


class SqlApiKeyRepository:
    """Implements ApiKeyRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def find(self, key_id: UUID) -> tuple[ApiKey, User] | None:
        found = await self._transaction.execute(
            select(api_keys, users).join(users, users.c.id == _c.user_id).where(_c.id == key_id)
        )
        row = found.one_or_none()
        return None if row is None else (_entity(row), user_entity(row))

    async def find_named(self, organization_id: UUID, user_id: UUID, name: str) -> ApiKey | None:
        found = await self._transaction.execute(
            select(api_keys)
            .where(_c.organization_id == organization_id, _c.user_id == user_id, _c.name == name)
            .order_by(_c.id.desc())
            .limit(1)
        )
        row = found.one_or_none()
        return None if row is None else _entity(row)

    async def add(self, key: ApiKey) -> None:
        await self._transaction.execute(insert(api_keys).values(_values(key)))

    async def save(self, key: ApiKey) -> None:
        await self._transaction.execute(
            update(api_keys).where(_c.organization_id == key.organization_id, _c.id == key.id).values(_values(key))
        )

    async def mark_used(self, key_id: UUID, at: datetime) -> None:
        await self._transaction.execute(
            update(api_keys)
            .where(_c.id == key_id, or_(_c.last_used_at.is_(None), _c.last_used_at < at))
            .values(last_used_at=at)
        )

    async def maker(self, key_id: UUID) -> ApiKey | None:
        statement = select(api_keys).where(_c.id == key_id).with_for_update(key_share=True)
        async with self._transaction.everywhere():  # a key makes keys in each organization that it may act in
            row = (await self._transaction.execute(statement)).one_or_none()
        return None if row is None else _entity(row)

    async def revoke(self, key_id: UUID, at: datetime) -> Sequence[ApiKey]:
        """One generation after the other: each is locked before it is asked for what it has made."""
        revoked: list[ApiKey] = []
        generation = [key_id]
        while generation:
            living = and_(_c.id.in_(generation), _c.revoked_at.is_(None))
            rows = await self._transaction.execute(
                update(api_keys).where(living).values(revoked_at=at).returning(api_keys)
            )
            revoked += [_entity(row) for row in rows]
            made = await self._transaction.execute(select(_c.id).where(_c.made_by.in_(generation)))
            generation = list(made.scalars())
        return revoked

    async def revoke_all_of(self, organization_id: UUID, user_id: UUID, at: datetime) -> Sequence[ApiKey]:
        living = await self._transaction.execute(
            select(api_keys)
            .where(_c.organization_id == organization_id, _c.user_id == user_id, _c.revoked_at.is_(None))
            .order_by(_c.id)  # in which uses are noted, too: so neither waits for the other in a circle
            .with_for_update(key_share=True)
        )
        keys = [_entity(row) for row in living]
        await self._transaction.execute(
            update(api_keys)
            .where(_c.organization_id == organization_id, _c.id.in_([key.id for key in keys]))
            .values(revoked_at=at)
        )
        return [replace(key, revoked_at=at) for key in keys]


def _entity(row: Row[Any]) -> ApiKey:
    columns = row._mapping  # by column, since both tables of the row have an id and a name
    return ApiKey(
        id=columns[_c.id],
        organization_id=columns[_c.organization_id],
        user_id=columns[_c.user_id],
        name=columns[_c.name],
        role=Role(columns[_c.role]),
        secret_hash=columns[_c.secret_hash],
        created_at=columns[_c.created_at],
        expires_at=columns[_c.expires_at],
        revoked_at=columns[_c.revoked_at],
        last_used_at=columns[_c.last_used_at],
        confined=columns[_c.confined],
        made_by=columns[_c.made_by],
    )


def _values(key: ApiKey) -> dict[str, Any]:
    return {
        "organization_id": key.organization_id,
        "id": key.id,
        "user_id": key.user_id,
        "name": key.name,
        "role": key.role.value,
        "secret_hash": key.secret_hash,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "confined": key.confined,
        "made_by": key.made_by,
    }
