"""Mutations and subscriptions, each with a case: how to ask it about something, by ids of ours, theirs and nobody's.

A new one needs a line here, which `test_commands.py` holds to the schema. Used by this folder.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type

from tests.isolation.documents import DocumentWalk, Field
from tests.isolation.two_organizations import TwoOrganizations

NOBODYS_ID: Final = "0192f0c1-0000-7000-8000-000000000000"

Input = Callable[[Mapping[str, str]], dict[str, Any]]
"""Makes the input from the ids of one organization, by the kinds of `KINDS`."""

KINDS: Final = {
    "organization": ("org", "organizations"),
    "connection": ("conn", "service_connections"),
    "repository": ("repo", "repositories"),
    "credential": ("cred", "service_credentials"),
    "check": ("chk", "health_checks"),
    "event": ("evt", "connection_events"),
    "run": ("run", "command_runs"),
    "user": ("user", "users"),
    "key": ("key", "api_keys"),
    "invitation": ("inv", "invitations"),
    "record": ("aud", "audit_records"),
}
"""Prefix and table of what has an id."""

_TOKEN: Final = {"token": {"token": "a-token-of-nobody"}}


@dataclass(frozen=True, slots=True)
class Command:
    """A mutation. `named` says by which kinds of ids its input names things; what it does is done to nothing else.

    `differs`: why foreign and missing may be answered by different statements, if they may.
    """

    named: tuple[str, ...]
    input: Input
    differs: str = ""


MUTATIONS: Final[dict[str, Command]] = {
    "createConnection": Command(
        ("organization",),
        lambda ids: {"organizationId": ids["organization"], "service": "github", "credential": _TOKEN},
    ),
    "authorizeConnection": Command(
        ("organization", "connection"),
        lambda ids: {
            "organizationId": ids["organization"],
            "service": "github",
            "connectionId": ids["connection"],
        },
    ),
    "completeAuthorization": Command(
        ("code",),
        lambda ids: {"code": ids["code"]},
        differs="a code that somebody else brings is used up, so that it is of no use to them",
    ),
    "updateConnection": Command(
        ("connection",), lambda ids: {"connectionId": ids["connection"], "name": "Taken over", "labels": {"a": "b"}}
    ),
    "updateConnectionStatus": Command(
        ("connection",), lambda ids: {"connectionId": ids["connection"], "status": "INACTIVE"}
    ),
    "deleteConnection": Command(("connection",), lambda ids: {"connectionId": ids["connection"]}),
    "checkConnectionHealth": Command(("connection",), lambda ids: {"connectionId": ids["connection"]}),
    "rotateCredentials": Command(
        ("connection",), lambda ids: {"connectionId": ids["connection"], "credential": _TOKEN}
    ),
    "syncRepositories": Command(("connection",), lambda ids: {"connectionId": ids["connection"]}),
    "updateRepository": Command(("repository",), lambda ids: {"repositoryId": ids["repository"], "selected": True}),
    "runCommand": Command(
        ("connection", "repository"),
        lambda ids: {
            "connectionId": ids["connection"],
            "repositoryId": ids["repository"],
            "commandId": "github.read_file",
            "arguments": {"path": "README.md"},
            "waitSeconds": 0,
        },
    ),
    "createOrganization": Command((), lambda ids: {"slug": "new-here", "name": "New here"}),
    "updateOrganization": Command(
        ("organization",), lambda ids: {"organizationId": ids["organization"], "checkIntervalSeconds": 77}
    ),
    "addMember": Command(
        ("organization",),
        lambda ids: {"organizationId": ids["organization"], "email": "guest@example.org", "role": "VIEWER"},
    ),
    "updateMember": Command(
        ("organization", "user"),
        lambda ids: {"organizationId": ids["organization"], "userId": ids["user"], "role": "MEMBER"},
    ),
    "removeMember": Command(
        ("organization", "user"), lambda ids: {"organizationId": ids["organization"], "userId": ids["user"]}
    ),
    "removeInvitation": Command(("invitation",), lambda ids: {"invitationId": ids["invitation"]}),
    "createApiKey": Command(
        ("organization",), lambda ids: {"organizationId": ids["organization"], "name": "Made", "role": "VIEWER"}
    ),
    "revokeApiKey": Command(("key",), lambda ids: {"apiKeyId": ids["key"]}),
}

SUBSCRIPTIONS: Final[dict[str, Callable[[Mapping[str, str]], str]]] = {
    "connectionEvents": lambda ids: (
        f'connectionEvents(organizationId: "{ids["organization"]}", after: "{ids["cursor"]}")'
    ),
    "connectionHealth": lambda ids: (
        f'connectionHealth(organizationId: "{ids["organization"]}", after: "{ids["cursor"]}", '
        f'connectionIds: ["{ids["connection"]}"])'
    ),
    "serviceEvents": lambda ids: f'serviceEvents(organizationId: "{ids["organization"]}", after: "{ids["cursor"]}")',
}
"""The field with its arguments, from the same ids."""


def ids_of(two: TwoOrganizations, slug: str, kind: str) -> list[str]:
    """Ids of what an organization has of a kind; its own members, if they are people."""
    prefix, table = KINDS[kind]
    if kind == "user":
        return [f"{prefix}_{person.user_id}" for person in two.people if person.organization == slug]
    return [f"{prefix}_{row['id']}" for row in two.of(table, slug)]


def nobodys(kind: str) -> str:
    """An id of that kind which nothing has."""
    return f"{KINDS[kind][0]}_{NOBODYS_ID}"


def mutation(walk: DocumentWalk, name: str) -> tuple[str, frozenset[Field]]:
    """A mutation that asks for all that its payload has. Its variable is the input."""
    mutations = walk.schema.mutation_type
    assert mutations is not None
    field = mutations.fields[name]
    selection, fields = walk.whole(_object(field.type))
    return f"mutation ($input: {field.args['input'].type}) {{ {name}(input: $input) {selection} }}", fields


def subscription(walk: DocumentWalk, name: str, ids: Mapping[str, str]) -> str:
    """A subscription that asks for all that an event has."""
    subscriptions = walk.schema.subscription_type
    assert subscriptions is not None
    selection, _ = walk.whole(_object(subscriptions.fields[name].type))
    return f"subscription {{ {SUBSCRIPTIONS[name](ids)} {selection} }}"


def fields_of_commands(walk: DocumentWalk) -> set[Field]:
    """What the payloads of all mutations are asked for."""
    return {field for name in MUTATIONS for field in mutation(walk, name)[1]}


def _object(type_: Any) -> GraphQLObjectType | GraphQLInterfaceType:
    named = get_named_type(type_)
    assert isinstance(named, GraphQLObjectType | GraphQLInterfaceType)
    return named
