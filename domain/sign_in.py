"""SignIn: a browser's way to an identity provider and back, which ends with a session (OpenID Connect, code flow).

Called by `gql/http/sign_in.py` and by the runner, which has expired sign-ins forgotten.

What keeps anybody from being signed in as somebody else, or in somebody else's browser (login CSRF):
- the way back is open only to the browser that left: it has to bring the flow's cookie, which no other site can set;
- `state` finds the flow, which is taken once, so that neither a code nor a state is used twice;
- the code is exchanged with the verifier (PKCE) of the browser that left, which never left this server;
- the ID token has to carry the nonce of this flow, and to be from the provider that the browser was sent to;
- each provider sends browsers back to an address of its own, so that none gets a code of another one ("mix-up").
Each way has a state and a cookie of its own, so that tabs don't get into each other's way.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from domain.credential_vault import CredentialVault
from domain.entities.identity import VerifiedIdentity
from domain.entities.session import SignInFlow
from domain.errors import Unauthenticated
from domain.one_time_tokens import new_one_time_token, one_time_hash
from domain.ports import UnitsOfWork
from domain.recognition import Recognition
from domain.return_path import return_path
from domain.secret import Secret
from domain.sessions import BegunSession, Sessions
from domain.sign_in_failure import (
    EXPIRED,
    UNKNOWN,
    UNKNOWN_PROVIDER,
    SignInFailure,
    denied,
    not_allowed,
    wrong_issuer,
)

FLOW_LIFETIME: Final = timedelta(minutes=10)
CALLBACK: Final = "/sign-in/callback"
"""The path of this server under which each provider has the one to which it sends browsers back."""

_VERIFIER_USE: Final = "sign-in verifier"
_NO_ORGANIZATION: Final = UUID(int=0)
"""Nobody knows yet who signs in, still less where they belong."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """What a browser is sent to the provider with."""

    state: Secret
    nonce: str
    verifier: Secret
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class SignInReturn:
    """What a browser came back with, and our own part of it. `issuer`: who says to have sent it (RFC 9207), if any."""

    code: str = field(repr=False)
    issuer: str | None
    nonce: str
    verifier: Secret
    redirect_uri: str


class SignInProvider(Protocol):
    """One identity provider by which browsers sign in here."""

    @property
    def id(self) -> str:
        """The operator's name for it, which its callback has at its end."""

    @property
    def issuer(self) -> str:
        """By which its tokens name it."""

    @property
    def name(self) -> str:
        """What people call it."""

    async def address(self, request: SignInRequest) -> str | SignInFailure:
        """Where the browser goes."""

    async def identify(self, returned: SignInReturn) -> VerifiedIdentity | SignInFailure:
        """Exchange the code, and verify what the provider says of the person."""


@dataclass(frozen=True, slots=True)
class SignInDeparture:
    """The browser goes to `address` and keeps `proof` under the name `reference` until `expires_at`."""

    address: str = field(repr=False)
    reference: str
    proof: Secret
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignInArrival:
    """Where a browser ends: signed in and on its way to `return_to`, or with a failure.

    `reference` names the proof that has served its purpose.
    """

    outcome: BegunSession | SignInFailure
    return_to: str
    reference: str | None = None


class SignIn:
    """Stateless. `public_url` is where browsers reach this server."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        providers: Sequence[SignInProvider],
        recognition: Recognition,
        sessions: Sessions,
        vault: CredentialVault,
        clock: Callable[[], datetime],
        public_url: str,
    ) -> None:
        self._units_of_work = units_of_work
        self._providers = {provider.issuer: provider for provider in providers}
        self._recognition = recognition
        self._sessions = sessions
        self._vault = vault
        self._clock = clock
        self._public_url = public_url

    @property
    def providers(self) -> Sequence[SignInProvider]:
        """Those that the operator has configured, in their order."""
        return tuple(self._providers.values())

    async def begin(self, issuer: str, return_to: str | None) -> SignInDeparture | SignInFailure:
        """A browser leaves. No transaction is open while the provider is asked where it wants it."""
        provider = self._providers.get(issuer)
        if provider is None:
            return UNKNOWN_PROVIDER
        state, proof, nonce, verifier = (new_one_time_token() for _ in range(4))
        request = SignInRequest(state, nonce.reveal(), verifier, self._redirect_uri(provider))
        address = await provider.address(request)
        if isinstance(address, SignInFailure):
            return self._told(address, issuer)
        now, state_hash = self._clock(), one_time_hash(state.reveal())
        flow = SignInFlow(
            state_hash=state_hash,
            browser_hash=one_time_hash(proof.reveal()),
            issuer=issuer,
            nonce=nonce.reveal(),
            sealed_verifier=self._vault.seal_text(_NO_ORGANIZATION, _id_of(state_hash), _VERIFIER_USE, verifier),
            return_to=return_path(return_to),
            created_at=now,
            expires_at=now + FLOW_LIFETIME,
        )
        async with self._units_of_work.writing_everywhere() as unit:
            await unit.sign_in_flows.add(flow)
            await unit.commit()
        return SignInDeparture(address, _reference(state_hash), proof, flow.expires_at)

    async def come_back(
        self, provider_id: str, query: Mapping[str, str], proofs: Mapping[str, str], old_session: str | None
    ) -> SignInArrival:
        """A browser is back at the callback of this provider.

        `proofs`: what it keeps, by reference; `old_session`: the secret that it had so far.
        """
        state_hash = one_time_hash(query.get("state", ""))
        reference = _reference(state_hash)
        flow = await self._take(state_hash, proofs.get(reference))
        if flow is None:
            return SignInArrival(UNKNOWN, return_path(None))
        if flow.expires_at <= self._clock():
            return SignInArrival(EXPIRED, flow.return_to, reference)
        identity = await self._identify(flow, provider_id, query)
        if isinstance(identity, SignInFailure):
            return SignInArrival(self._told(identity, flow.issuer), flow.return_to, reference)
        try:
            user = await self._recognition.recognize(identity)
        except Unauthenticated as refused:
            return SignInArrival(self._told(not_allowed(refused.message), flow.issuer), flow.return_to, reference)
        session = await self._sessions.begin(user, flow.issuer, replaces=old_session)
        return SignInArrival(session, flow.return_to, reference)

    async def forget_expired(self, now: datetime, limit: int) -> int:
        """Forget at most `limit` sign-ins that nobody has come back from in time; how many."""
        async with self._units_of_work.writing_everywhere() as unit:
            forgotten = await unit.sign_in_flows.forget(now, limit)
            await unit.commit()
        return forgotten

    async def _take(self, state_hash: bytes, proof: str | None) -> SignInFlow | None:
        """For another browser it stays, without a trace: the one that left can still come back."""
        if proof is None:
            return None
        async with self._units_of_work.writing_everywhere() as unit:
            flow = await unit.sign_in_flows.take(state_hash, one_time_hash(proof))
            await unit.commit()
        return flow

    async def _identify(
        self, flow: SignInFlow, provider_id: str, query: Mapping[str, str]
    ) -> VerifiedIdentity | SignInFailure:
        """Asks the provider, no transaction being open meanwhile."""
        provider = self._providers.get(flow.issuer)
        if provider is None:
            return UNKNOWN_PROVIDER  # the operator has removed it meanwhile
        # Without this a provider could pass off another one's answer as its own, and be given its code ("mix-up"). Many
        # don't say who they are (`iss`), but all keep to the address that is registered (RFC 9700, 4.4.2). One that
        # always says it has to: `identify` knows.
        if provider_id != provider.id or query.get("iss", provider.issuer) != provider.issuer:
            return wrong_issuer(provider.name)
        if "code" not in query:
            return denied(provider.name, query.get("error", "no code"))
        verifier = self._vault.open_text(_NO_ORGANIZATION, _id_of(flow.state_hash), _VERIFIER_USE, flow.sealed_verifier)
        returned = SignInReturn(query["code"], query.get("iss"), flow.nonce, verifier, self._redirect_uri(provider))
        return await provider.identify(returned)

    def _redirect_uri(self, provider: SignInProvider) -> str:
        return f"{self._public_url}{callback_path(provider.id)}"

    def _told(self, failure: SignInFailure, issuer: str) -> SignInFailure:
        _log.warning("A sign-in by %s ended: %s. %s", issuer, failure.code, failure.detail)
        return failure


def callback_path(provider_id: str) -> str:
    """The path of this server to which this provider sends browsers back."""
    return f"{CALLBACK}/{provider_id}"


def _reference(state_hash: bytes) -> str:
    """What a browser keeps its proof under. It says nothing of the state."""
    return state_hash.hex()[:16]


def _id_of(state_hash: bytes) -> UUID:
    """The verifier is sealed to this very flow: it opens in no other one."""
    return UUID(bytes=state_hash[:16])
