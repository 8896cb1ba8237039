"""Authorization flows as rows, each found by the hash of what somebody shows, each step of it taken once.

Reached as `unit.authorization_flows`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, exists, insert, or_, select, update

from domain.entities.authorization_flow import AuthorizationFlow, FlowStage
from persistence.tables import authorization_flows
from persistence.transaction import Transaction

_c = authorization_flows.c


class SqlAuthorizationFlowRepository:
    """Implements AuthorizationFlowRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, flow: AuthorizationFlow) -> None:
        await self._transaction.execute(insert(authorization_flows).values(_values(flow)))

    async def find(
        self, *, start_hash: bytes | None = None, state_hash: bytes | None = None, code_hash: bytes | None = None
    ) -> AuthorizationFlow | None:
        """Raises ValueError unless exactly one hash is given."""
        hashes = ((_c.start_hash, start_hash), (_c.state_hash, state_hash), (_c.code_hash, code_hash))
        given = [column == value for column, value in hashes if value is not None]
        if len(given) != 1:
            raise ValueError("a flow is found by exactly one hash")
        row = (await self._transaction.execute(select(authorization_flows).where(*given))).one_or_none()
        return None if row is None else _entity(row)

    async def advance(self, flow: AuthorizationFlow, *, from_stage: FlowStage) -> bool:
        advanced = await self._transaction.execute(
            update(authorization_flows).where(_c.id == flow.id, _c.stage == from_stage.value).values(_values(flow))
        )
        return advanced.rowcount == 1

    async def remove(self, flow_id: UUID) -> bool:
        removed = await self._transaction.execute(delete(authorization_flows).where(_c.id == flow_id))
        return removed.rowcount == 1

    async def grant_waits(self, service: str, fingerprint: str, webhook_key: str | None) -> bool:
        same = _c.grant_fingerprint == fingerprint
        if webhook_key is not None:
            same = or_(same, _c.grant_webhook_key == webhook_key, _c.grant_webhook_key.is_(None))
        waiting = exists().where(_c.service == service, _c.grant_fingerprint.is_not(None), same)
        async with self._transaction.everywhere():  # whose grant it is doesn't matter to the service
            return bool((await self._transaction.execute(select(waiting))).scalar_one())

    async def expired(self, now: datetime, limit: int) -> Sequence[AuthorizationFlow]:
        """The longest expired first. A completed flow is removed, so that each one here was given up."""
        rows = await self._transaction.execute(
            select(authorization_flows).where(_c.expires_at <= now).order_by(_c.expires_at).limit(limit)
        )
        return [_entity(row) for row in rows]


def _values(flow: AuthorizationFlow) -> dict[str, Any]:
    return {
        "id": flow.id,
        "organization_id": flow.organization_id,
        "user_id": flow.user_id,
        "api_key_id": flow.api_key_id,
        "service": flow.service,
        "method": flow.method,
        "connection_id": flow.connection_id,
        "name": flow.name,
        "labels": flow.labels,
        "settings": flow.settings,
        "scopes": flow.scopes,
        "return_to": flow.return_to,
        "popup": flow.popup,
        "allow_account_change": flow.allow_account_change,
        "stage": flow.stage.value,
        "start_hash": flow.start_hash,
        "state_hash": flow.state_hash,
        "cookie_hash": flow.cookie_hash,
        "code_hash": flow.code_hash,
        "sealed_verifier": flow.sealed_verifier,
        "sealed_grant": flow.sealed_grant,
        "grant_fingerprint": flow.grant_fingerprint,
        "grant_webhook_key": flow.grant_webhook_key,
        "created_at": flow.created_at,
        "expires_at": flow.expires_at,
    }


def _entity(row: Row[Any]) -> AuthorizationFlow:
    return AuthorizationFlow(
        id=row.id,
        organization_id=row.organization_id,
        user_id=row.user_id,
        api_key_id=row.api_key_id,
        service=row.service,
        method=row.method,
        connection_id=row.connection_id,
        name=row.name,
        labels=row.labels,
        settings=row.settings,
        scopes=tuple(row.scopes),
        return_to=row.return_to,
        popup=row.popup,
        allow_account_change=row.allow_account_change,
        stage=FlowStage(row.stage),
        start_hash=row.start_hash,
        created_at=row.created_at,
        expires_at=row.expires_at,
        state_hash=row.state_hash,
        cookie_hash=row.cookie_hash,
        code_hash=row.code_hash,
        sealed_verifier=row.sealed_verifier,
        sealed_grant=row.sealed_grant,
        grant_fingerprint=row.grant_fingerprint,
        grant_webhook_key=row.grant_webhook_key,
    )
