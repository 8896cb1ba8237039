"""What a token is at the simulated GitLab and OpenID provider: a person's, made by hand or issued to a client.

Made by ready_made.py and token_settings.py, kept in state.py, issued by standard_oauth.py.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sandbox.json_reader import JsonReader
from sandbox.tokens import Quota, Token


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    username: str
    name: str


@dataclass(frozen=True, slots=True)
class GitLabProject:
    """`path` is the whole one, as `acme/tools/api`."""

    id: int
    path: str
    private: bool = False
    archived: bool = False
    default_branch: str = "main"


@dataclass(slots=True, kw_only=True)
class PersonToken(Token):
    account: Person
    client_id: str | None = None
    """The client that it was issued to; None for one that a person has made."""


@dataclass(slots=True, kw_only=True)
class GitLabToken(PersonToken):
    projects: tuple[GitLabProject, ...] = field(default=())


@dataclass(slots=True, kw_only=True)
class OpenIdToken(PersonToken):
    pass


AnyPersonToken = TypeVar("AnyPersonToken", bound=PersonToken)


def gitlab_token(name: str, now: datetime) -> GitLabToken:
    """A working personal access token of acme-dev: what each new one is, but for what its maker says."""
    projects = tuple(
        GitLabProject(id=4101 + index, path=path, private=path in PRIVATE_PROJECTS, archived=path == "acme/legacy")
        for index, path in enumerate(PROJECTS)
    )
    account = Person(id=7001, username="acme-dev", name="Acme Developer")
    quota = Quota.full(2000, 60, now)
    scopes = ("read_api", "read_repository")
    return GitLabToken(name=name, quota=quota, scopes=scopes, account=account, projects=projects)


def openid_token(name: str, now: datetime) -> OpenIdToken:
    """A working access token of the person alice: what each new one is, but for what its maker says."""
    account = Person(id=248289761001, username="alice", name="Alice Example")
    return OpenIdToken(name=name, quota=Quota.full(600, 60, now), scopes=("openid", "profile"), account=account)


def read_person(settings: JsonReader, token: AnyPersonToken) -> AnyPersonToken:
    """The control API's keys `account` and `client_id`, put into the token."""
    account = settings.part("account")
    token.account = Person(
        id=account.integer("id", token.account.id, minimum=1),
        username=account.text("username", token.account.username),
        name=account.text("name", token.account.name),
    )
    token.client_id = settings.text_or_null("client_id")
    return token


def read_projects(settings: JsonReader, token: GitLabToken) -> GitLabToken:
    """The control API's key `projects`, put into the token."""
    if settings.has("projects"):
        token.projects = tuple(
            GitLabProject(
                id=part.integer("id", 4101 + index, minimum=1),
                path=part.text("path", f"acme/project-{index}"),
                private=part.flag("private", False),
                archived=part.flag("archived", False),
                default_branch=part.text("default_branch", "main"),
            )
            for index, part in enumerate(settings.parts("projects"))
        )
    return token


PROJECTS = ("acme/api", "acme/billing", "acme/handbook", "acme/infrastructure/network", "acme/legacy", "acme/website")
PRIVATE_PROJECTS = {"acme/billing", "acme/infrastructure/network"}
