"""GitHubRepositories: the repositories that a credential reaches, page by page. Made by service.py."""

import re
from typing import Final

from domain.credential_secrets import CredentialSecret, GitHubAppSecret
from domain.entities.health import Json
from domain.http import HttpAnswer
from domain.services.boundary import clean_text, clean_url
from domain.services.github.answers import classify
from domain.services.github.api import SERVICE_ID, GitHubApi
from domain.services.github.calls import GitHubCalls
from domain.services.github.paging import next_path
from domain.services.github.rate_limit import rate_limit
from domain.services.refusals import unexpected_answer
from domain.services.repository_listing import PageUnchanged, RemoteRepository, RepositoryPage
from domain.services.service_fault import ServiceFault

PER_PAGE: Final = 100


class GitHubRepositories:
    def __init__(self, api: GitHubApi, calls: GitHubCalls) -> None:
        self._api = api
        self._calls = calls

    async def page(
        self, secret: CredentialSecret, at: str | None, etag: str | None
    ) -> RepositoryPage | PageUnchanged | ServiceFault:
        """The oldest first, so that what is created meanwhile comes at the end. A place is a path below the API."""
        answer = await self._calls.get(secret, at or _first_path(secret), etag=etag)
        if isinstance(answer, ServiceFault):
            return answer
        if answer.status == 304 and etag is not None:
            return PageUnchanged(rate_limit(answer.headers))
        return classify(answer, self._api.now()) or self._read(answer)

    def _read(self, answer: HttpAnswer) -> RepositoryPage | ServiceFault:
        body = answer.json()
        listed = body.get("repositories") if isinstance(body, dict) else body
        if not isinstance(listed, list):
            return _not_documented(answer)
        repositories = [read_repository(each, self._api.web_url) for each in listed]
        following = next_path(answer, self._api.url)
        if isinstance(following, ServiceFault):
            return following
        known = tuple(each for each in repositories if each is not None)
        if len(known) != len(repositories):
            return _not_documented(answer)  # one left out would be taken for one that is gone
        # A full last page answers 304 even when another has come after it: its body is still the same.
        etag = None if following is None and len(known) >= PER_PAGE else _etag(answer)
        return RepositoryPage(known, following, etag, rate_limit(answer.headers))


def read_repository(repository: Json, web_url: str) -> RemoteRepository | None:
    """A repository as answers and events tell of it; None for what is none. Names change, its number never does."""
    if not isinstance(repository, dict):
        return None
    number, full_name = repository.get("id"), clean_text(repository.get("full_name"))
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 1 << 63 or full_name is None:
        return None
    url = clean_url(repository.get("html_url")) or clean_url(f"{web_url}/{full_name}")
    private, archived = repository.get("private"), repository.get("archived", False)
    if url is None or not isinstance(private, bool) or not isinstance(archived, bool):
        return None
    branch = clean_text(repository.get("default_branch"))
    return RemoteRepository(str(number), full_name, url, branch, private, archived)


def _first_path(secret: CredentialSecret) -> str:
    if isinstance(secret, GitHubAppSecret):
        return f"/installation/repositories?per_page={PER_PAGE}"
    return f"/user/repos?per_page={PER_PAGE}&sort=created&direction=asc"


def _etag(answer: HttpAnswer) -> str | None:
    etag = answer.headers.get("etag", "")
    return etag if _ETAG.fullmatch(etag) else None


def _not_documented(answer: HttpAnswer) -> ServiceFault:
    return unexpected_answer(SERVICE_ID, answer, "GitHub's answer isn't the list of repositories that it documents.")


_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{1,200}"')
