"""A grant that waits for completeAuthorization: sealed whole, with its scopes and ends, for one flow only.

Used by the authorization flows; the vault does the sealing.
"""

import json
from datetime import datetime
from typing import Final

from domain import credential_secrets
from domain.credential_vault import CredentialVault
from domain.entities.authorization_flow import AuthorizationFlow
from domain.entities.credential import CredentialKind
from domain.secret import Secret
from domain.services.authorization import Grant

_USE: Final = "authorization"


def seal_grant(vault: CredentialVault, flow: AuthorizationFlow, grant: Grant) -> None:
    """Put the grant into the flow."""
    text = json.dumps(
        {
            "kind": grant.secret.kind,
            "secret": credential_secrets.written(grant.secret).reveal(),
            "scopes": grant.scopes,
            "expires_at": _written(grant.expires_at),
            "refresh_expires_at": _written(grant.refresh_expires_at),
        }
    )
    flow.sealed_grant = vault.seal_text(flow.organization_id, flow.id, _USE, Secret(text))
    flow.grant_fingerprint, flow.grant_webhook_key = grant.secret.fingerprint, grant.webhook_key


def open_grant(vault: CredentialVault, flow: AuthorizationFlow) -> Grant | None:
    """What waits in the flow; None where nothing does. Raises CredentialUnreadable."""
    if flow.sealed_grant is None:
        return None
    parts = json.loads(vault.open_text(flow.organization_id, flow.id, _USE, flow.sealed_grant).reveal())
    return Grant(
        secret=credential_secrets.read(CredentialKind(parts["kind"]), Secret(parts["secret"])),
        scopes=None if parts["scopes"] is None else tuple(parts["scopes"]),
        expires_at=_read(parts["expires_at"]),
        refresh_expires_at=_read(parts["refresh_expires_at"]),
        webhook_key=flow.grant_webhook_key,
    )


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
