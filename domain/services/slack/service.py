"""Slack as a service: what it is called, what it knows, and whose a token is. Made by the composition root."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from domain.entities.health import Json
from domain.http import HttpClient, HttpFault
from domain.secret import Secret
from domain.services.base import AuthorizationMethod, IdentityAnswer, ServiceScope, SettingsProblem
from domain.services.boundary import malformed_token, transport_fault
from domain.services.settings import EXPIRY_WARNING_DAYS, ScopeList, SettingsForm
from domain.services.slack.answers import read_identity
from domain.services.slack.scopes import SCOPES


class Slack:
    """One Slack. `api_url` is its Web API, `web_url` where people look: the operator's choice, not a tenant's."""

    id = "slack"
    name = "Slack"
    description = "Messages and channels of a Slack workspace, through a bot token."
    authorization_methods: Sequence[AuthorizationMethod] = (AuthorizationMethod.TOKEN,)
    scopes: Sequence[ServiceScope] = SCOPES

    def __init__(self, http: HttpClient, api_url: str, web_url: str, clock: Callable[[], datetime]) -> None:
        self._http = http
        self._api_url = api_url.rstrip("/")
        self._web_url = web_url.rstrip("/")
        self._clock = clock

    @property
    def documentation_url(self) -> str:
        return "https://docs.slack.dev/authentication/tokens/"

    @property
    def settings_schema(self) -> Mapping[str, Json]:
        return _SETTINGS.schema()

    def settings_problems(self, settings: Mapping[str, Json]) -> Iterator[SettingsProblem]:
        return _SETTINGS.problems(settings)

    def required_scopes(self, settings: Mapping[str, Json]) -> tuple[str, ...]:
        return _REQUIRED_SCOPES.read(settings)

    def missing_scopes(self, required: Sequence[str], granted: Sequence[str]) -> tuple[str, ...]:
        """No scope of Slack contains another."""
        return tuple(scope for scope in required if scope not in granted)

    async def identify(self, token: Secret) -> IdentityAnswer:
        """`POST auth.test`, which needs no scope: the body says who, a header says the scopes."""
        malformed = malformed_token(self.name, token)
        if malformed is not None:
            return malformed
        answer = await self._http.request(
            "POST",
            f"{self._api_url}/auth.test",
            headers={
                "Accept": "application/json",
                "Authorization": f"Bearer {token.reveal()}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            idempotent=True,  # it only asks
        )
        if isinstance(answer, HttpFault):
            return transport_fault(self.id, self.name, answer)
        return read_identity(answer, self._web_url, self._clock())


_REQUIRED_SCOPES: Final = ScopeList(
    key="requiredScopes",
    description="The scopes that this connection needs; it is shown as degraded while one is missing.",
    service_name=Slack.name,
    scopes=SCOPES,
)
_SETTINGS: Final = SettingsForm(Slack.name, (_REQUIRED_SCOPES, EXPIRY_WARNING_DAYS))
