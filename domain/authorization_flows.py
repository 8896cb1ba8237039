"""AuthorizationFlows: connecting a service in the browser, from authorizeConnection to completeAuthorization.

Called by these two mutations, by `gql/http/authorization.py` for the browser's part, and by the runner, which has
expired flows forgotten. Who began a flow has to finish it, by the code or by being signed in where the browser comes
back: a link that is sent to somebody else gains nothing.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.abandoned_grants import AbandonedGrants
from domain.authorization import authorize
from domain.authorization_completion import AuthorizationCompletion
from domain.authorization_journey import Arrival, AuthorizationJourney, Connected, Departure
from domain.connection_checks import ConnectionChecks
from domain.credential_vault import CredentialVault
from domain.entities.audit import AuditAction, AuditRecord
from domain.entities.authorization_flow import AuthorizationFlow, FlowStage
from domain.entities.event import Actor
from domain.entities.health import Json
from domain.entities.identifiers import Kind, new_id, typed_id
from domain.entities.service_connection import ServiceConnection
from domain.entities.text import clean_labels, clean_name
from domain.entities.user import Action, Viewer
from domain.errors import DomainError, InvalidInput, NotFound, ServiceUnavailable
from domain.flow_failure import fault_at_completion
from domain.one_time_tokens import new_one_time_token, one_time_hash
from domain.ports import UnitOfWork, UnitsOfWork
from domain.secret import Secret
from domain.services.authorization import AuthorizationMethod
from domain.services.base import Service
from domain.services.catalogue import ServiceCatalogue
from domain.services.settings import accepted_settings

FLOW_LIFETIME: Final = timedelta(minutes=10)
"""From authorizeConnection to the way back."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BegunFlow:
    """Where to send the browser, and until when that is good for anything. The address works once."""

    authorization_url: str = field(repr=False)
    expires_at: datetime


class AuthorizationFlows:
    """All of it. `public_url` is where browsers reach this server, `return_to_allowed` where they may be sent on."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        checks: ConnectionChecks,
        vault: CredentialVault,
        clock: Callable[[], datetime],
        *,
        public_url: str,
        return_to_allowed: Sequence[str],
    ) -> None:
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._clock = clock
        self._public_url = public_url
        self._return_to_allowed = return_to_allowed
        self._abandoned = AbandonedGrants(units_of_work, catalogue, vault, clock)
        self._journey = AuthorizationJourney(units_of_work, catalogue, vault, self._abandoned, clock, public_url)
        self._completion = AuthorizationCompletion(units_of_work, catalogue, checks, vault, self._abandoned, clock)

    async def begin(
        self,
        viewer: Viewer,
        organization_id: UUID,
        service: str,
        *,
        connection_id: UUID | None = None,
        method: AuthorizationMethod | None = None,
        name: str | None = None,
        scopes: Sequence[str] | None = None,
        return_to: Json = None,
        popup: bool = False,
        allow_account_change: bool = False,
        settings: Json = None,
        labels: Json = None,
    ) -> BegunFlow:
        """Prepare the way to a service, for a new connection or to bring back the one with `connection_id`.

        Raises InvalidInput, NotFound and Forbidden.
        """
        known = self._catalogue.get(service)
        if connection_id is not None and any(given is not None for given in (name, settings, labels)):
            message = "A connection keeps its name, settings and labels when it is authorized again: leave them out."
            raise InvalidInput(message, ("input", "connectionId"))
        kept_settings = accepted_settings(known, settings)
        token, now = new_one_time_token(), self._clock()
        flow = AuthorizationFlow(
            id=new_id(),
            organization_id=organization_id,
            user_id=viewer.user_id,
            api_key_id=viewer.api_key_id,
            service=service,
            method=_method(known, method).value,
            connection_id=connection_id,
            name=None if name is None else clean_name(name, ("input", "name")),
            labels=clean_labels(labels, ("input", "labels")),
            settings=kept_settings,
            scopes=known.required_scopes(kept_settings) if scopes is None else _scopes(known, scopes),
            return_to=self._allowed(return_to, popup),
            popup=popup,
            allow_account_change=allow_account_change,
            stage=FlowStage.BEGUN,
            start_hash=one_time_hash(token.reveal()),
            created_at=now,
            expires_at=now + FLOW_LIFETIME,
        )
        async with self._units_of_work.writing(organization_id) as unit:
            await authorize(unit, viewer, organization_id, Action.MANAGE_CONNECTIONS)
            connection = None if connection_id is None else await _of_service(unit, connection_id, known)
            if connection is not None and scopes is None:
                flow.scopes = _scopes_again(known, connection)
            await unit.authorization_flows.add(flow)
            await unit.audit.add(_begun(flow, viewer, connection))
            await unit.commit()
        return BegunFlow(f"{self._public_url}/oauth/start/{token.reveal()}", flow.expires_at)

    async def start(self, token: str) -> Departure | Arrival:
        """A browser takes the link."""
        return await self._journey.start(token)

    async def come_back(
        self, service_id: str, query: Mapping[str, str], proofs: Mapping[str, str], viewer: Viewer | None = None
    ) -> Arrival:
        """A browser comes back from the service. Where the `viewer` who is signed in there began, that completes it.

        For anybody else's session it ends with a completion code, as without one.
        """
        arrival = await self._journey.come_back(service_id, query, proofs)
        code, flow = arrival.outcome, arrival.flow
        if viewer is None or not isinstance(code, Secret) or flow is None or not flow.was_begun_by(viewer):
            return arrival
        try:
            connection = await self.complete(viewer, code.reveal())
        except ServiceUnavailable:
            return arrival  # Tether's own trouble leaves the code good: it is for whoever can wait
        except DomainError as error:
            failure = fault_at_completion(error)
            _log.warning("The authorization flow %s at %s ended: %s.", flow.id, flow.service, failure.code)
            return replace(arrival, outcome=failure)
        return replace(arrival, outcome=Connected(connection.id, connection.name))

    async def complete(self, viewer: Viewer, code: str) -> ServiceConnection:
        """Who began shows the completion code. Raises as `AuthorizationCompletion.complete` says."""
        return await self._completion.complete(viewer, code)

    async def forget_expired(self, now: datetime, limit: int) -> int:
        """Forget at most `limit` flows that nobody has completed in time, and revoke what they hold; how many."""
        return await self._abandoned.forget_expired(now, limit)

    def _allowed(self, return_to: Json, popup: bool) -> str | None:
        """The address, if it is exactly one of those allowed. Raises InvalidInput, which doesn't repeat it."""
        field = ("input", "returnTo")
        if return_to is None and popup:
            raise InvalidInput("A popup needs returnTo: only a page of that origin is told what came of it.", field)
        if return_to is None or (isinstance(return_to, str) and return_to in self._return_to_allowed):
            return return_to
        raise InvalidInput(
            "returnTo isn't one of the addresses to which this server sends browsers back. It has to be written "
            "exactly as the operator has in TETHER_RETURN_TO.",
            field,
        )


def _begun(flow: AuthorizationFlow, viewer: Viewer, connection: ServiceConnection | None) -> AuditRecord:
    return AuditRecord(
        flow.organization_id,
        AuditAction.AUTHORIZATION_BEGUN,
        Actor.of(viewer),
        flow.created_at,
        None if connection is None else typed_id(Kind.CONNECTION, connection.id),
        None if connection is None else connection.name,
        {"service": flow.service, "method": flow.method},
    )


def _method(service: Service, wanted: AuthorizationMethod | None) -> AuthorizationMethod:
    """The one that is wanted, or the usual one. Raises InvalidInput."""
    authorization = service.authorization
    if authorization is None:
        raise InvalidInput(
            f"The operator of this server has registered no client at {service.name}, so it can't be connected in the "
            "browser. Connect it by a token.",
            ("input", "service"),
        )
    if wanted is None:
        return authorization.methods[0]
    if wanted not in authorization.methods:
        ways = " or ".join(authorization.methods)
        raise InvalidInput(f"{service.name} is connected here in the browser by {ways}.", ("input", "method"))
    return wanted


def _scopes(service: Service, wanted: Sequence[str]) -> tuple[str, ...]:
    """The scopes, if the service knows them all. Raises InvalidInput."""
    known = {scope.name for scope in service.scopes}
    for scope in wanted:
        if scope not in known:
            message = f"Tether knows no scope {scope[:60]!r} of {service.name}. It knows: {', '.join(sorted(known))}."
            raise InvalidInput(message, ("input", "scopes"))
    return tuple(dict.fromkeys(wanted))


async def _of_service(unit: UnitOfWork, connection_id: UUID, service: Service) -> ServiceConnection:
    """The organization's connection. Raises NotFound, and InvalidInput for one to another service."""
    connection = await unit.connections.find(connection_id)
    if connection is None:
        raise NotFound.connection()
    if connection.service != service.id:
        raise InvalidInput(f"This connection isn't one to {service.name}.", ("input", "service"))
    return connection


def _scopes_again(service: Service, connection: ServiceConnection) -> tuple[str, ...]:
    """What the connection needs and what it had, so that it isn't poorer afterwards."""
    known = {scope.name for scope in service.scopes}
    had = (scope for scope in connection.granted_scopes if scope in known)
    return tuple(dict.fromkeys((*connection.required_scopes, *had)))
