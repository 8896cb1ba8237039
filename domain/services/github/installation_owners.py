"""InstallationOwners: whether a person may give a team an installation of the operator's app. Used by authorization.py.

GitHub shows an installation to everybody who may read a single repository of it: collaborators and plain members too.
A connection reaches all of it, so it takes whoever owns the account: the person, or an owner of the organization.
"""

import re
from dataclasses import dataclass
from typing import Final

from domain.entities.health import Json, Remedy
from domain.http import HttpAnswer
from domain.secret import Secret
from domain.services.github.answers import classify, words_of
from domain.services.github.api import SERVICE_ID, GitHubApi
from domain.services.github.paging import next_path
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault


@dataclass(frozen=True, slots=True)
class _Account:
    """What an installation is on."""

    id: int
    login: str
    type: str


class InstallationOwners:
    """Asks GitHub as the person."""

    def __init__(self, api: GitHubApi) -> None:
        self._api = api

    async def refusal(self, user_token: Secret, installation_id: int) -> ServiceFault | None:
        """Why the person may not give this installation away; None where they may."""
        account = await self._account(user_token, installation_id)
        if not isinstance(account, _Account):
            return account or not_theirs()
        match account.type:
            case "User":
                owns = await self._is(user_token, account)
            case "Organization":
                owns = await self._owns(user_token, account)
            case _:
                owns = False
        if isinstance(owns, ServiceFault):
            return owns
        return None if owns else _not_owner()

    async def _account(self, user_token: Secret, installation_id: int) -> _Account | ServiceFault | None:
        """What the installation is on; None where GitHub doesn't show it to the person."""
        path: str | None = "/user/installations?per_page=100"
        for _ in range(_MOST_PAGES):
            if path is None:
                return None
            answer = await self._got(path, user_token)
            if isinstance(answer, ServiceFault):
                return answer
            body = answer.json()
            installations = body.get("installations") if isinstance(body, dict) else None
            if not isinstance(installations, list):
                return unexpected_answer(SERVICE_ID, answer, "GitHub's answer isn't the list that it documents.")
            for each in installations:
                if isinstance(each, dict) and each.get("id") == installation_id:
                    return _account_of(each)
            following = next_path(answer, self._api.url)
            if isinstance(following, ServiceFault):
                return following
            path = following
        return None

    async def _is(self, user_token: Secret, account: _Account) -> bool | ServiceFault:
        answer = await self._got("/user", user_token)
        if isinstance(answer, ServiceFault):
            return answer
        body = answer.json()
        return isinstance(body, dict) and body.get("id") == account.id

    async def _owns(self, user_token: Secret, account: _Account) -> bool | ServiceFault:
        answer = await self._api.get(f"/user/memberships/orgs/{account.login}", user_token)
        if isinstance(answer, ServiceFault):
            return answer
        words = words_of(answer)
        if answer.status == 404 and words == "not found":
            return False
        if answer.status == 403 and "not accessible by integration" in words:
            return _members_not_shown(answer)
        fault = classify(answer, self._api.now())
        if fault is not None:
            return fault
        body = answer.json()
        organization = body.get("organization") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(organization, dict):
            return unexpected_answer(SERVICE_ID, answer, "GitHub's answer isn't the membership that it documents.")
        return (organization.get("id"), body.get("role"), body.get("state")) == (account.id, "admin", "active")

    async def _got(self, path: str, user_token: Secret) -> HttpAnswer | ServiceFault:
        answer = await self._api.get(path, user_token)
        return answer if isinstance(answer, ServiceFault) else classify(answer, self._api.now()) or answer


def not_theirs() -> ServiceFault:
    return ServiceFault(
        FaultKind.CREDENTIAL_REFUSED,
        "github_installation_not_yours",
        "GitHub doesn't show this installation to the person who has authorized. Install the app anew, or ask somebody "
        "who manages it.",
        Remedy.RECONNECT,
    )


def _account_of(installation: dict[str, Json]) -> _Account:
    """An enterprise has neither login nor type: nobody is known to own it."""
    account = installation.get("account")
    account = account if isinstance(account, dict) else {}
    number, login, kind = account.get("id"), account.get("login"), account.get("type")
    if isinstance(number, int) and isinstance(login, str) and _LOGIN.fullmatch(login) and isinstance(kind, str):
        return _Account(number, login, kind)
    return _Account(0, "", "")


def _not_owner() -> ServiceFault:
    return ServiceFault(
        FaultKind.ADMIN_REQUIRED,
        "github_not_owner",
        "The person who has authorized doesn't own the account that the app is installed on. An organization is "
        "connected by one of its owners, a personal account by its own person.",
        Remedy.CONTACT_ADMIN,
    )


def _members_not_shown(answer: HttpAnswer) -> ServiceFault:
    return ServiceFault(
        FaultKind.CLIENT_REFUSED,
        "github_members_not_shown",
        "GitHub doesn't tell the server's GitHub App who owns the organization. Its operator has to give the app the "
        "organization permission “Members: Read-only”, which the organization then has to accept.",
        Remedy.CONTACT_ADMIN,
        latency_ms=answer.latency_ms,
    )


_LOGIN: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_MOST_PAGES: Final = 50
