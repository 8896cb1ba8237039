"""GitLab's projects as repositories, page by page. Asked by RepositorySync through `GitLab.repositories`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.http import HttpAnswer, HttpClient, HttpFault
from domain.services.boundary import clean_text, clean_url, malformed_token, transport_fault
from domain.services.gitlab.answers import ID, NAME, classify, of_credential, positive_id, rate_limit
from domain.services.refusals import unexpected_answer
from domain.services.repository_listing import PageUnchanged, RemoteRepository, RepositoryPage
from domain.services.service_fault import ServiceFault
from domain.services.standard_service import bearer_of

PAGE_SIZE: Final = 100
FIRST_PAGE: Final = f"membership=true&simple=false&pagination=keyset&order_by=id&sort=asc&per_page={PAGE_SIZE}"


@dataclass(frozen=True, slots=True)
class GitLabProjects:
    """The projects that an account is a member of, by their ids. A place is the query of a page, never an address."""

    http: HttpClient
    api_url: str
    clock: Callable[[], datetime]

    async def page(
        self, secret: CredentialSecret, at: str | None, etag: str | None
    ) -> RepositoryPage | PageUnchanged | ServiceFault:
        token = bearer_of(secret)
        malformed = malformed_token(NAME, token)
        if malformed is not None:
            return malformed
        headers = {"Accept": "application/json", "Authorization": f"Bearer {token.reveal()}"}
        if etag is not None:
            headers["If-None-Match"] = etag
        answer = await self.http.get(f"{self.api_url}/projects?{at or FIRST_PAGE}", headers=headers)
        if isinstance(answer, HttpFault):
            return transport_fault(ID, NAME, answer)
        if answer.status == 304 and etag is not None:
            return PageUnchanged(rate_limit(answer.headers))
        fault = classify(answer, self.clock())
        return _read_page(answer) if fault is None else of_credential(fault, secret)


def _read_page(answer: HttpAnswer) -> RepositoryPage | ServiceFault:
    body = answer.json()
    if not isinstance(body, list):
        return unexpected_answer(ID, answer, "GitLab's answer isn't the list of projects that it documents.")
    found = tuple(repository for project in body if (repository := read_project(project)) is not None)
    if len(found) < len(body):
        return unexpected_answer(ID, answer, "GitLab lists a project that isn't what its documentation describes.")
    link = answer.headers.get("link", "")
    following = _NEXT.search(link)
    if following is None and _NAMES_NEXT.search(link):  # not the last page: taking it for that would lose projects
        return unexpected_answer(ID, answer, "GitLab names the next page of projects in a way that can't be read.")
    # A full page without a following one may get one while its text, and so its etag, stays the same.
    keeps_its_place = following is not None or len(found) < PAGE_SIZE
    etag = answer.headers.get("etag", "")
    return RepositoryPage(
        found,
        next=None if following is None else following.group(1),
        etag=etag if keeps_its_place and _ETAG.fullmatch(etag) else None,
        rate_limit=rate_limit(answer.headers),
    )


def read_project(project: Json) -> RemoteRepository | None:
    """A project as lists tell of it; None for what is none."""
    if not isinstance(project, dict):
        return None
    number, path = positive_id(project.get("id")), clean_text(project.get("path_with_namespace"))
    url = clean_url(project.get("web_url"))
    if number is None or path is None or url is None:
        return None
    return RemoteRepository(
        number,
        path,
        url,
        default_branch=clean_text(project.get("default_branch")),
        private=project.get("visibility") != "public",
        archived=project.get("archived") is True,
    )


# Only the query is taken from GitLab's link, so the next call goes where this one went, whatever host the link names.
_NEXT: Final = re.compile(r'<[^<>?]*\?([^<>#\s]{1,2000})>\s*;\s*rel="?next"?')
_NAMES_NEXT: Final = re.compile(r'rel="?next"?')
_ETAG: Final = re.compile(r'(?:W/)?"[!#-~]{1,200}"')
