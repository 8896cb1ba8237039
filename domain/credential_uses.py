"""Who would lose by the revocation of a credential. Asked directly before each, and wherever one is only considered.

Used by CredentialRevocations and ConnectionDeletion.
"""

from enum import StrEnum
from uuid import UUID

from domain.ports import UnitOfWork


class CredentialUse(StrEnum):
    """What a credential is needed for."""

    NONE = "NONE"
    WAITING = "WAITING"  # in an authorization flow, which may still become a connection
    LIVING = "LIVING"  # a connection lives by it, and would end with it


async def use_of(
    unit: UnitOfWork, service_id: str, fingerprint: str, webhook_key: str | None, *, besides: UUID | None = None
) -> CredentialUse:
    """By anybody but the connection `besides`. `webhook_key`: of all that its revocation ends; None: of itself only."""
    # Flows first: one that is completed meanwhile has become a connection by the time these are looked for.
    waits = await unit.authorization_flows.grant_waits(service_id, fingerprint, webhook_key)
    if await unit.organizations.credential_held(service_id, fingerprint, besides=besides):
        return CredentialUse.LIVING
    if webhook_key is not None:
        reached = await unit.organizations.connections_reached(service_id, [webhook_key])
        if any(connection_id != besides for _, connection_id in reached):
            return CredentialUse.LIVING
    return CredentialUse.WAITING if waits else CredentialUse.NONE
