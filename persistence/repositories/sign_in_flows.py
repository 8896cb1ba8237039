"""Sign-ins under way as rows, each found by the hashes of what its browser shows, and taken once.

Reached as `unit.sign_in_flows`.
"""

from datetime import datetime

from sqlalchemy import delete, insert, select

from domain.entities.session import SignInFlow
from persistence.tables import sign_in_flows
from persistence.transaction import Transaction

_c = sign_in_flows.c


class SqlSignInFlowRepository:
    """Implements SignInFlowRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, flow: SignInFlow) -> None:
        await self._transaction.execute(
            insert(sign_in_flows).values(
                state_hash=flow.state_hash,
                browser_hash=flow.browser_hash,
                issuer=flow.issuer,
                nonce=flow.nonce,
                sealed_verifier=flow.sealed_verifier,
                return_to=flow.return_to,
                created_at=flow.created_at,
                expires_at=flow.expires_at,
            )
        )

    async def take(self, state_hash: bytes, browser_hash: bytes) -> SignInFlow | None:
        taken = await self._transaction.execute(
            delete(sign_in_flows)
            .where(_c.state_hash == state_hash, _c.browser_hash == browser_hash)
            .returning(sign_in_flows)
        )
        row = taken.one_or_none()
        if row is None:
            return None
        return SignInFlow(
            state_hash=row.state_hash,
            browser_hash=row.browser_hash,
            issuer=row.issuer,
            nonce=row.nonce,
            sealed_verifier=row.sealed_verifier,
            return_to=row.return_to,
            created_at=row.created_at,
            expires_at=row.expires_at,
        )

    async def forget(self, expired: datetime, limit: int) -> int:
        """The oldest first."""
        over = select(_c.state_hash).where(_c.expires_at <= expired).order_by(_c.expires_at).limit(limit)
        return (await self._transaction.execute(delete(sign_in_flows).where(_c.state_hash.in_(over)))).rowcount
