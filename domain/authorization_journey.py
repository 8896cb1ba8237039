"""AuthorizationJourney: a browser's way from /oauth/start to the service and back to /oauth/callback.

Used through AuthorizationFlows. Whoever comes by is told apart by what they show, not by who they are: the link works
once, and the way back is open only to the browser that took the link.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.abandoned_grants import AbandonedGrants
from domain.credential_vault import CredentialVault
from domain.entities.authorization_flow import AuthorizationFlow, FlowStage
from domain.errors import ServiceUnavailable
from domain.flow_failure import (
    EXPIRED,
    REPLAYED,
    UNKNOWN,
    WRONG_BROWSER,
    FlowFailure,
    fault_at_exchange,
    not_registered,
    refused,
    wrong_issuer,
)
from domain.one_time_tokens import new_one_time_token, one_time_hash
from domain.ports import UnitsOfWork
from domain.sealed_grant import seal_grant
from domain.secret import Secret
from domain.services.authorization import (
    Authorization,
    AuthorizationMethod,
    AuthorizationRequest,
    AuthorizationReturn,
    Grant,
)
from domain.services.base import Service
from domain.services.catalogue import ServiceCatalogue
from domain.services.service_fault import ServiceFault

COMPLETION_LIFETIME: Final = timedelta(minutes=10)
"""From the way back to completeAuthorization."""

LONGEST_WAIT: Final = timedelta(seconds=20)
"""For a database that is away, with a browser waiting."""
KEEP_AGAIN_SECONDS: Final = 0.5

_VERIFIER_USE: Final = "code verifier"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Departure:
    """The browser goes to `address` and keeps `proof` under the name `reference` until `expires_at`."""

    address: str = field(repr=False)
    reference: str
    proof: Secret
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Connected:
    """The connection that is there, or is back."""

    connection_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a browser ends: at `return_to` (None: here), with a completion code, a failure, or all done.

    `reference` names the proof that has served its purpose. `flow` is what the completion code is of.
    """

    outcome: Secret | FlowFailure | Connected
    return_to: str | None = None
    popup: bool = False
    reference: str | None = None
    flow: AuthorizationFlow | None = field(default=None, repr=False)


class AuthorizationJourney:
    """Takes each step of a flow once, whoever tries it twice or at the same time."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        vault: CredentialVault,
        abandoned: AbandonedGrants,
        clock: Callable[[], datetime],
        public_url: str,
    ) -> None:
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._vault = vault
        self._abandoned = abandoned
        self._clock = clock
        self._public_url = public_url

    async def start(self, token: str) -> Departure | Arrival:
        """Take the link that authorizeConnection gave."""
        async with self._units_of_work.reading_everywhere() as unit:
            flow = await unit.authorization_flows.find(start_hash=one_time_hash(token))
        if flow is None:
            return Arrival(UNKNOWN)
        if flow.stage is not FlowStage.BEGUN:
            return _arrival(flow, REPLAYED)
        if flow.expires_at <= self._clock():
            return _arrival(flow, EXPIRED)
        _, authorization = self._registered(flow)
        if authorization is None:
            return _arrival(flow, not_registered(flow.service))
        state, proof = new_one_time_token(), new_one_time_token()
        verifier = new_one_time_token() if authorization.uses_pkce else None
        flow.stage = FlowStage.STARTED
        flow.state_hash, flow.cookie_hash = one_time_hash(state.reveal()), one_time_hash(proof.reveal())
        if verifier is not None:
            flow.sealed_verifier = self._vault.seal_text(flow.organization_id, flow.id, _VERIFIER_USE, verifier)
        if not await self._advance(flow, FlowStage.BEGUN):
            return _arrival(flow, REPLAYED)
        request = AuthorizationRequest(
            method=AuthorizationMethod(flow.method),
            state=state,
            code_challenge=None if verifier is None else _s256(verifier),
            redirect_uri=self._redirect_uri(flow),
            scopes=flow.scopes,
        )
        return Departure(authorization.address(request), _reference(flow), proof, flow.expires_at)

    async def come_back(self, service_id: str, query: Mapping[str, str], proofs: Mapping[str, str]) -> Arrival:
        """Take what the service sent the browser back with. `proofs`: what the browser keeps, by reference."""
        async with self._units_of_work.reading_everywhere() as unit:
            flow = await unit.authorization_flows.find(state_hash=one_time_hash(query.get("state", "")))
        if flow is None:
            return Arrival(UNKNOWN)
        failure = self._refusal(flow, proofs.get(_reference(flow)))
        if failure is not None:
            return _arrival(flow, failure)  # without a trace: the browser that may come back still can
        flow.stage, sealed_verifier, flow.sealed_verifier = FlowStage.RETURNED, flow.sealed_verifier, None
        if not await self._advance(flow, FlowStage.STARTED):
            return _arrival(flow, REPLAYED)
        outcome = await self._outcome(flow, service_id, query, sealed_verifier)
        if isinstance(outcome, FlowFailure):
            _log.warning("The authorization flow %s at %s ended: %s.", flow.id, flow.service, outcome.code)
            return _arrival(flow, outcome)
        return _arrival(flow, await self._keep(flow, outcome))

    def _refusal(self, flow: AuthorizationFlow, proof: str | None) -> FlowFailure | None:
        """Why this browser can't go on."""
        if flow.stage is not FlowStage.STARTED:
            return REPLAYED
        if proof is None or not hmac.compare_digest(one_time_hash(proof), flow.cookie_hash or b""):
            return WRONG_BROWSER
        return EXPIRED if flow.expires_at <= self._clock() else None

    async def _outcome(
        self, flow: AuthorizationFlow, service_id: str, query: Mapping[str, str], sealed_verifier: str | None
    ) -> Grant | FlowFailure:
        """What the service gave, no transaction being open meanwhile."""
        service, authorization = self._registered(flow)
        if service is None or authorization is None:
            return not_registered(flow.service)
        if service_id != flow.service or not _is_issuer(authorization.issuer, query.get("iss")):
            return wrong_issuer(service.name)
        if "error" in query:
            return refused(service, query["error"])
        returned = AuthorizationReturn(
            method=AuthorizationMethod(flow.method),
            query={name: value for name, value in query.items() if name != "state"},
            code_verifier=None
            if sealed_verifier is None
            else self._vault.open_text(flow.organization_id, flow.id, _VERIFIER_USE, sealed_verifier),
            redirect_uri=self._redirect_uri(flow),
        )
        answer = await authorization.exchange(returned)
        return fault_at_exchange(answer) if isinstance(answer, ServiceFault) else answer

    async def _keep(self, flow: AuthorizationFlow, grant: Grant) -> Secret | FlowFailure:
        """Have the grant wait, sealed, for whoever shows the code."""
        code = new_one_time_token()
        flow.stage, flow.code_hash = FlowStage.EXCHANGED, one_time_hash(code.reveal())
        seal_grant(self._vault, flow, grant)
        flow.expires_at = self._clock() + COMPLETION_LIFETIME
        try:
            kept = await self._wait_to_keep(flow)
            if not kept:
                await self._abandoned.revoke(flow, grant)
        except ServiceUnavailable:
            await self._abandoned.revoke_unstored(flow, grant)
            raise
        return code if kept else EXPIRED

    async def _wait_to_keep(self, flow: AuthorizationFlow) -> bool:
        """The service gives it once: while the database is away, this waits as long as a browser may be expected to.

        False if the flow was forgotten meanwhile. Raises ServiceUnavailable.
        """
        gives_up_at = self._clock() + LONGEST_WAIT
        while True:
            try:
                return await self._advance(flow, FlowStage.RETURNED) or await self._has_kept(flow)
            except ServiceUnavailable:
                if self._clock() >= gives_up_at:
                    raise
                _log.warning("What %s gave for the flow %s waits for the database.", flow.service, flow.id)
                await asyncio.sleep(KEEP_AGAIN_SECONDS)

    async def _has_kept(self, flow: AuthorizationFlow) -> bool:
        """Whether it was stored by a commit of whose success we weren't told."""
        async with self._units_of_work.reading_everywhere() as unit:
            return await unit.authorization_flows.find(code_hash=flow.code_hash) is not None

    async def _advance(self, flow: AuthorizationFlow, from_stage: FlowStage) -> bool:
        async with self._units_of_work.writing_everywhere() as unit:
            advanced = await unit.authorization_flows.advance(flow, from_stage=from_stage)
            await unit.commit()
        return advanced

    def _registered(self, flow: AuthorizationFlow) -> tuple[Service | None, Authorization | None]:
        service = self._catalogue.find(flow.service)
        return service, None if service is None else service.authorization

    def _redirect_uri(self, flow: AuthorizationFlow) -> str:
        return f"{self._public_url}/oauth/callback/{flow.service}"


def _arrival(flow: AuthorizationFlow, outcome: Secret | FlowFailure) -> Arrival:
    served = flow.stage in {FlowStage.RETURNED, FlowStage.EXCHANGED}
    return Arrival(outcome, flow.return_to, flow.popup, _reference(flow) if served else None, flow)


def _reference(flow: AuthorizationFlow) -> str:
    """What a browser keeps its proof under, so that several flows at once don't get into each other's way."""
    return flow.id.hex[-12:]


def _is_issuer(expected: str | None, told: str | None) -> bool:
    """Whether the answer is from whom it should be, as far as both sides say (RFC 9207)."""
    return expected is None or told is None or told == expected


def _s256(verifier: Secret) -> str:
    """The code challenge (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.reveal().encode()).digest()).rstrip(b"=").decode()
