"""GraphQL over HTTP as a client sees it: what it sends, and all that it is answered. Used by all tests here."""

import re
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from gql.http.own_pages import CSRF_HEADER

CODES = frozenset(
    {
        "UNAUTHENTICATED",
        "FORBIDDEN",
        "CSRF_REFUSED",
        "BAD_USER_INPUT",
        "RATE_LIMITED",
        "COST_LIMIT_EXCEEDED",
        "CURSOR_EXPIRED",
        "SERVICE_UNAVAILABLE",
        "PERSISTED_QUERY_NOT_FOUND",
        "PERSISTED_QUERY_NOT_SUPPORTED",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "INTERNAL_SERVER_ERROR",
    }
)
"""Every code that an operation's error may have."""

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"


def without_cost(text: str) -> str:
    """A result as text, or several, without what each has cost, which differs as a budget fills."""
    return re.sub(r',"extensions":{"cost":{[^}]*}}', "", text)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer whose body is JSON."""

    response: httpx2.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = self.response.json()
        return body

    @property
    def request_id(self) -> str:
        return self.response.headers["x-request-id"]

    @property
    def data(self) -> Any:
        """The data, after making sure that there is no error."""
        assert "errors" not in self.body, self.body["errors"]
        assert self.status == 200
        return self.body["data"]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The errors, each with a code that is promised, and this request's id."""
        errors: list[dict[str, Any]] = self.body["errors"]
        for error in errors:
            assert error["extensions"]["code"] in CODES
            assert error["extensions"]["requestId"] == self.request_id
        return errors

    @property
    def error(self) -> tuple[str, str]:
        """Code and message of the only error."""
        [error] = self.errors
        assert set(error["extensions"]) - DETAILS.get(error["extensions"]["code"], set()) == {"code", "requestId"}
        return error["extensions"]["code"], error["message"]


class Client:
    """Sends operations to one server as one caller; without a token as nobody."""

    def __init__(self, http: httpx2.AsyncClient, token: str | None = None, *, cookie: str | None = None) -> None:
        """`cookie`: as a page of the server's sends it."""
        self.http = http
        self.token = token
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if cookie is not None:
            self._headers |= {"Cookie": cookie, CSRF_HEADER: "1"}

    async def execute(self, query: str, **variables: Any) -> Answer:
        """Run an operation; what comes of it is the test's to judge."""
        return await self.post({"query": query, "variables": variables})

    async def post(self, body: Any, *, accept: str = JSON) -> Answer:
        """Send any JSON."""
        return Answer(await self.http.post("/graphql", json=body, headers={**self._headers, "Accept": accept}))

    async def data(self, query: str, **variables: Any) -> Any:
        """The data of an operation that has to succeed."""
        return (await self.execute(query, **variables)).data

    async def error(self, query: str, **variables: Any) -> tuple[str, str]:
        """Code and message of the one error of an operation that has to fail with just that one."""
        return (await self.execute(query, **variables)).error

    async def mutate(self, field: str, selection: str, **members: Any) -> Any:
        """The payload of a mutation; its input is the members. `selection` is what to ask of the payload."""
        type_name = field[0].upper() + field[1:] + "Input"
        query = f"mutation M($input: {type_name}!) {{ {field}(input: $input) {{ {selection} {USER_ERRORS} }} }}"
        return (await self.data(query, input=members))[field]

    async def user_error(self, field: str, **members: Any) -> dict[str, Any]:
        """The one user error of a mutation that has to answer with it and with nothing else."""
        payload = await self.mutate(field, _NOTHING[field], **members)
        [error] = payload.pop("userErrors")
        assert set(payload.values()) == {None}
        told: dict[str, Any] = error
        return told


DETAILS: Final = {"COST_LIMIT_EXCEEDED": {"cost", "limit"}, "RATE_LIMITED": {"retryAfterSeconds"}}
"""What errors may say besides, by their codes."""

USER_ERRORS = """
userErrors {
  __typename message code field
  ... on InvalidTransition { from to allowed }
  ... on VersionConflict { currentVersion }
  ... on AccountMismatch { expected actual }
  ... on ServiceFailure { service remedy retryAfterSeconds }
  ... on CommandFailure { service remedy retryAfterSeconds }
}
"""
_NOTHING = {
    "createConnection": "connection { id }",
    "authorizeConnection": "authorizationUrl expiresAt",
    "completeAuthorization": "connection { id }",
    "updateConnection": "connection { id }",
    "updateConnectionStatus": "connection { id }",
    "deleteConnection": "deletedConnectionId organization { id }",
    "checkConnectionHealth": "connection { id } healthCheck { id }",
    "rotateCredentials": "connection { id }",
    "syncRepositories": "connection { id } added updated removed unchanged complete",
    "updateRepository": "repository { id }",
    "runCommand": "run { id }",
    "createOrganization": "organization { id }",
    "updateOrganization": "organization { id }",
    "addMember": "invitation { id } membership { role } organization { id }",
    "removeInvitation": "removedInvitationId organization { id }",
    "updateMember": "membership { role } organization { id }",
    "removeMember": "removedUserId organization { id }",
    "createApiKey": "apiKey { id } token organization { id }",
    "revokeApiKey": "apiKey { id } organization { id }",
}
