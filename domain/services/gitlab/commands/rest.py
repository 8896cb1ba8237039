"""GitLabRest: calls of GitLab's REST API for this folder's commands, and what its answers mean for them.

Most refusals are of the one thing that was asked for, and say nothing of the connection.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from json import dumps
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json, Remedy, ServiceRateLimit
from domain.http import HttpAnswer, HttpClient, HttpFault
from domain.services.boundary import clean_text, clean_url, malformed_token, transport_fault
from domain.services.commands import CommandResult
from domain.services.gitlab.answers import ID, NAME, classify, of_credential, rate_limit
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.standard_service import bearer_of


@dataclass(frozen=True, slots=True)
class Found:
    """A good answer that is a JSON object."""

    body: Mapping[str, Json]
    status: int
    latency_ms: int
    rate_limit: ServiceRateLimit | None

    def result(self, url: str | None = None, **data: Json) -> CommandResult | ServiceFault:
        """The command's result; a fault where GitLab hasn't told all of it, though it has done it."""
        if None in data.values():
            answer = HttpAnswer(self.status, {}, b"", self.latency_ms)
            return unexpected_answer(ID, answer, "GitLab's answer isn't what its documentation describes.")
        return CommandResult(data, self.latency_ms, url or clean_url(self.body.get("web_url")), self.rate_limit)


class GitLabRest:
    def __init__(self, http: HttpClient, api_url: str, web_url: str, clock: Callable[[], datetime]) -> None:
        self.web_url = web_url
        self._http = http
        self._api_url = api_url
        self._clock = clock

    async def get(self, secret: CredentialSecret, path: str) -> HttpAnswer | ServiceFault:
        """The answer, if it is a good one."""
        return await self._called(secret, path, None)

    async def post(self, secret: CredentialSecret, path: str, body: Mapping[str, Json]) -> Found | ServiceFault:
        answer = await self._called(secret, path, body)
        if isinstance(answer, ServiceFault):
            return answer
        said = answer.json()
        if not isinstance(said, dict):
            text = "GitLab's answer isn't the object that its documentation describes."
            return unexpected_answer(ID, answer, text)
        return Found(said, answer.status, answer.latency_ms, rate_limit(answer.headers))

    async def _called(
        self, secret: CredentialSecret, path: str, body: Mapping[str, Json] | None
    ) -> HttpAnswer | ServiceFault:
        """GET, or POST where there is a body."""
        token = bearer_of(secret)
        malformed = malformed_token(NAME, token)
        if malformed is not None:
            return malformed
        headers = {"Accept": "application/json", "Authorization": f"Bearer {token.reveal()}"}
        if body is None:
            answer = await self._http.get(self._api_url + path, headers=headers)
        else:
            headers["Content-Type"] = "application/json"
            content = dumps(body).encode()
            answer = await self._http.request("POST", self._api_url + path, headers=headers, body=content)
        if isinstance(answer, HttpFault):
            return transport_fault(ID, NAME, answer)
        return self._refusal(answer, secret) or answer

    def _refusal(self, answer: HttpAnswer, secret: CredentialSecret) -> ServiceFault | None:
        if 200 <= answer.status < 300:
            return None
        if answer.status in _OF_THE_REQUEST:
            return _of_the_request(answer)
        fault = classify(answer, self._clock())
        if fault is not None and fault.code == "gitlab_forbidden":
            return _of_the_request(answer)
        return None if fault is None else of_credential(fault, secret)


def whole_number(value: Json) -> int | None:
    """One of GitLab's numbers; None for anything else."""
    good = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 53
    return value if good and isinstance(value, int) else None


def _of_the_request(answer: HttpAnswer) -> ServiceFault:
    body = answer.json()
    argument, said = _said(body.get("message") or body.get("error")) if isinstance(body, dict) else (None, "")
    code, message = _BY_STATUS[answer.status]
    if "already exists" in said.lower():
        code, message = "already_exists", "GitLab has that already."
    return ServiceFault(
        FaultKind.REQUEST_REFUSED,
        f"{ID}_{code}",
        message if _SAYS_NOTHING.fullmatch(said) else f"{message} It says: {said.rstrip('.')}.",
        Remedy.NONE,
        evidence={"status": answer.status},
        rate_limit=rate_limit(answer.headers),
        latency_ms=answer.latency_ms,
        argument=argument,
    )


def _said(said: Json) -> tuple[str | None, str]:
    """The argument that GitLab objects to, where it names one, and its words: a text, some texts, or texts by name."""
    name, texts = next(iter(said.items()), ("", None)) if isinstance(said, dict) else ("", said)
    text = clean_text(texts[0] if isinstance(texts, list) and texts else texts) or ""
    if not text or name == "base" or not _NAME.fullmatch(name):
        return None, text
    return _ARGUMENTS.get(name, name), f"{name} {text}"


_NAME: Final = re.compile(r"[a-z_]{1,40}")
_SAYS_NOTHING: Final = re.compile(r"(?:[0-9]{3} .*)?")
_ARGUMENTS: Final = {
    "source_branch": "sourceBranch",
    "target_branch": "targetBranch",
    "note": "body",
}
"""What GitLab calls it, and what the command does."""
_MOVED: Final = (
    "moved",
    "The project has been renamed or moved. Sync the connection's repositories, and use the new path.",
)
_INVALID: Final = ("invalid", "GitLab doesn't take the request as it is.")
_NOT_POSSIBLE: Final = ("not_possible", "GitLab doesn't do that there.")
_BY_STATUS: Final = {
    **dict.fromkeys((301, 302, 307, 308), _MOVED),
    400: _INVALID,
    403: ("forbidden", "GitLab doesn't let this account do that there; nobody may in an archived project."),
    404: ("not_found", "GitLab has nothing of that name, or doesn't show it to this account."),
    405: _NOT_POSSIBLE,
    409: ("conflict", "What is there at GitLab is in the way."),
    410: ("gone", "It was deleted."),
    413: ("too_large", "GitLab takes no request of that size."),
    415: _NOT_POSSIBLE,
    422: _INVALID,
}
_OF_THE_REQUEST: Final = _BY_STATUS.keys() - {403}
