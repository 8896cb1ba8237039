"""GitHub as a service: what it is called, what it knows, and whose a token is. Made by the composition root."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from domain.entities.health import Json
from domain.http import HttpClient, HttpFault
from domain.secret import Secret
from domain.services.base import AuthorizationMethod, IdentityAnswer, ServiceScope, SettingsProblem
from domain.services.boundary import malformed_token, transport_fault
from domain.services.github.answers import read_identity
from domain.services.github.scopes import SCOPES, covered_by
from domain.services.settings import EXPIRY_WARNING_DAYS, ScopeList, SettingsForm

API_VERSION: Final = "2022-11-28"  # the oldest that github.com and every supported Enterprise Server answer


class GitHub:
    """One GitHub. `api_url` is its REST API, `web_url` where people look: the operator's choice, not a tenant's."""

    id = "github"
    name = "GitHub"
    description = "Repositories, issues and pull requests on GitHub, through a personal access token."
    authorization_methods: Sequence[AuthorizationMethod] = (AuthorizationMethod.TOKEN,)
    scopes: Sequence[ServiceScope] = SCOPES

    def __init__(self, http: HttpClient, api_url: str, web_url: str, clock: Callable[[], datetime]) -> None:
        self._http = http
        self._api_url = api_url.rstrip("/")
        self._web_url = web_url.rstrip("/")
        self._clock = clock

    @property
    def documentation_url(self) -> str:
        return "https://docs.github.com/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens"

    @property
    def settings_schema(self) -> Mapping[str, Json]:
        return _SETTINGS.schema()

    def settings_problems(self, settings: Mapping[str, Json]) -> Iterator[SettingsProblem]:
        return _SETTINGS.problems(settings)

    def required_scopes(self, settings: Mapping[str, Json]) -> tuple[str, ...]:
        return _REQUIRED_SCOPES.read(settings)

    def missing_scopes(self, required: Sequence[str], granted: Sequence[str]) -> tuple[str, ...]:
        covered = covered_by(granted)
        return tuple(scope for scope in required if scope not in covered)

    async def identify(self, token: Secret) -> IdentityAnswer:
        """`GET /user`: the body says who, the headers say scopes, quota and the token's end."""
        malformed = malformed_token(self.name, token)
        if malformed is not None:
            return malformed
        answer = await self._http.get(
            f"{self._api_url}/user",
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {token.reveal()}",
                "X-GitHub-Api-Version": API_VERSION,
            },
        )
        if isinstance(answer, HttpFault):
            return transport_fault(self.id, self.name, answer)
        return read_identity(answer, self._web_url, self._clock())


_REQUIRED_SCOPES: Final = ScopeList(
    key="requiredScopes",
    description="The scopes that this connection needs; it is shown as degraded while one is missing. "
    "Fine-grained tokens don't tell their permissions, so for them nothing is reported missing.",
    service_name=GitHub.name,
    scopes=SCOPES,
)
_SETTINGS: Final = SettingsForm(GitHub.name, (_REQUIRED_SCOPES, EXPIRY_WARNING_DAYS))
