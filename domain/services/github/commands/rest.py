"""GitHubRest: calls of GitHub's REST API for this folder's commands, and what its answers mean for them.

Most refusals are of the one thing that was asked for, and say nothing of the connection: the repository that isn't
there, the branch that doesn't exist, the rule of one organization.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json, Remedy, ServiceRateLimit
from domain.http import HttpAnswer
from domain.services.boundary import clean_text, clean_url
from domain.services.commands import CommandResult
from domain.services.github.answers import classify, words_of
from domain.services.github.api import SERVICE_ID, GitHubApi
from domain.services.github.calls import GitHubCalls
from domain.services.github.paging import next_path
from domain.services.github.rate_limit import limited, rate_limit
from domain.services.github.scopes import covered_by
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault


@dataclass(frozen=True, slots=True)
class Found:
    """A good answer, read. `body` is a JSON object; empty where the answer has none."""

    body: Mapping[str, Json]
    latency_ms: int
    rate_limit: ServiceRateLimit | None

    def result(self, **data: Json) -> CommandResult | ServiceFault:
        """The command's result; a fault where GitHub hasn't told all of it, though it has done it."""
        if None in data.values():
            answer = HttpAnswer(200, {}, b"", self.latency_ms)
            return unexpected_answer(SERVICE_ID, answer, "GitHub's answer isn't what its documentation describes.")
        return CommandResult(data, self.latency_ms, clean_url(self.body.get("html_url")), self.rate_limit)


class GitHubRest:
    def __init__(self, api: GitHubApi, calls: GitHubCalls) -> None:
        self._api = api
        self._calls = calls

    @property
    def web_url(self) -> str:
        """Where people look."""
        return self._api.web_url

    async def get(self, secret: CredentialSecret, path: str) -> HttpAnswer | ServiceFault:
        """The answer, if it is a good one."""
        answer = await self._calls.get(secret, path)
        return answer if isinstance(answer, ServiceFault) else self._refusal(answer) or answer

    async def post(self, secret: CredentialSecret, path: str, body: Mapping[str, Json]) -> Found | ServiceFault:
        answer = await self._calls.post(secret, path, body)
        if isinstance(answer, ServiceFault):
            return answer
        return self._refusal(answer) or _read(answer)

    def following(self, answer: HttpAnswer) -> str | ServiceFault | None:
        """The path of a list's next page."""
        return next_path(answer, self._api.url)

    def _refusal(self, answer: HttpAnswer) -> ServiceFault | None:
        if 200 <= answer.status < 300:
            return None
        now, words = self._api.now(), words_of(answer)
        if answer.status == 422 and "submitted too quickly" in str(answer.json()):
            return limited(replace(answer, status=429), words, now)
        fault = classify(answer, now)
        if fault is not None and fault.code in _OF_ONE_ORGANIZATION:
            return replace(fault, kind=FaultKind.REQUEST_REFUSED)
        if answer.status in _OF_THE_REQUEST or (fault is not None and fault.code in _FORBIDDEN):
            return _scope_missing(answer) if _lacks_scope(answer, words) else _of_the_request(answer, words)
        return fault


def whole_number(value: Json) -> int | None:
    """One of GitHub's numbers; None for anything else."""
    good = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 53
    return value if good and isinstance(value, int) else None


def _read(answer: HttpAnswer) -> Found | ServiceFault:
    body = {} if answer.status == 204 or not answer.body else answer.json()
    if not isinstance(body, dict):
        text = "GitHub's answer isn't the object that its documentation describes."
        return unexpected_answer(SERVICE_ID, answer, text)
    return Found(body, answer.latency_ms, rate_limit(answer.headers))


def _lacks_scope(answer: HttpAnswer, words: str) -> bool:
    """Whether it is refused for want of a scope or permission. GitHub tells in each answer which ones would do, in most
    of them in vain; and hides from a classic token without them, as nothing there, what it would refuse.
    """
    if answer.status == 403 and "not accessible by" in words:
        return True
    accepted, granted = _names(answer, "x-accepted-oauth-scopes"), _names(answer, "x-oauth-scopes")
    tells = answer.status in {403, 404} and "x-oauth-scopes" in answer.headers
    return tells and bool(accepted) and not set(accepted) & covered_by(granted)


def _scope_missing(answer: HttpAnswer) -> ServiceFault:
    return ServiceFault(
        FaultKind.SCOPE_MISSING,
        "github_scope_missing",
        "The token may not do this. Give it one of the scopes or permissions in the evidence.",
        Remedy.GRANT_SCOPES,
        evidence={
            "acceptedScopes": list[Json](_names(answer, "x-accepted-oauth-scopes")),
            "acceptedPermissions": clean_text(answer.headers.get("x-accepted-github-permissions")),
        },
        rate_limit=rate_limit(answer.headers),
        latency_ms=answer.latency_ms,
    )


def _of_the_request(answer: HttpAnswer, words: str) -> ServiceFault:
    said, argument = _told(answer)
    all_words = f"{words} {(said or '').lower()}"
    code, message = next(
        ((code, message) for sign, code, message in _SIGNS if sign in all_words),
        _BY_STATUS[answer.status],
    )
    return ServiceFault(
        FaultKind.REQUEST_REFUSED,
        f"{SERVICE_ID}_{code}",
        message if said is None else f"{message} It says: {said.rstrip('.')}.",
        Remedy.NONE,
        evidence={"status": answer.status},
        rate_limit=rate_limit(answer.headers),
        latency_ms=answer.latency_ms,
        argument=argument,
    )


def _told(answer: HttpAnswer) -> tuple[str | None, str | None]:
    """What GitHub says of a request that isn't valid, and the argument that it objects to."""
    body = answer.json()
    if answer.status != 422 or not isinstance(body, dict):
        return None, None
    listed = body.get("errors")
    errors: Sequence[Json] = listed if isinstance(listed, list) else [listed]
    first = next((each for each in errors if isinstance(each, dict)), {})
    argument = first.get("field") if isinstance(first.get("field"), str) else None
    said = clean_text(first.get("message")) or next(
        (clean_text(each) for each in errors if isinstance(each, str)), None
    )
    if said is None and argument is not None:
        said = f"{argument} is {str(first.get('code', 'invalid')).replace('_', ' ')}."
    known = argument if isinstance(argument, str) and _ARGUMENT.fullmatch(argument) else None
    return clean_text(said or body.get("message")), known


def _names(answer: HttpAnswer, header: str) -> tuple[str, ...]:
    parts = answer.headers.get(header, "").split(",")
    return tuple(name for part in parts if (name := clean_text(part)) is not None)


_ARGUMENT: Final = re.compile(r"[a-z_]{1,40}")
_OF_ONE_ORGANIZATION: Final = {"github_sso_required", "github_ip_not_allowed"}
"""Rules of whose repository it is: the connection may be well everywhere else."""
_FORBIDDEN: Final = {"github_forbidden", "github_scope_missing"}
_MOVED: Final = (
    "moved",
    "The repository has been renamed or moved. Sync the connection's repositories, and use the new name.",
)
_INVALID: Final = ("invalid", "GitHub doesn't take the request as it is.")
_BY_STATUS: Final = {
    **dict.fromkeys((301, 302, 307, 308), _MOVED),
    400: _INVALID,
    403: ("forbidden", "GitHub doesn't let this credential do that there."),
    404: ("not_found", "GitHub has nothing of that name, or doesn't show it to this credential."),
    405: ("not_possible", "GitHub doesn't do that there."),
    409: ("conflict", "What is there at GitHub is in the way, such as a repository that is empty."),
    410: ("gone", "It was deleted, or the repository has no issues."),
    413: ("too_large", "GitHub takes no request of that size."),
    415: ("not_possible", "GitHub doesn't do that there."),
    422: _INVALID,
}
_OF_THE_REQUEST: Final = _BY_STATUS.keys() - {403}
_SIGNS: Final = (
    ("archived", "archived", "The repository is archived, so that nothing in it can be changed."),
    ("already exists", "already_exists", "GitHub has that already."),
    ("is locked", "locked", "The conversation is locked, so that nobody can comment on it."),
    ("issues are disabled", "issues_disabled", "The repository has no issues: they are switched off there."),
    ("issues has been disabled", "issues_disabled", "The repository has no issues: they are switched off there."),
)
