"""People as the tests of members, invitations and keys need them: who they are, and how they sign in or get a key.

Used by test_people.py, test_api_keys.py, test_confined_keys.py and test_revocation.py.
"""

from typing import Any

from domain.entities.identity import VerifiedIdentity
from domain.entities.user import User
from domain.recognition import Recognition
from tests.gql.client import Client
from tests.gql.server import TetherServer

ISSUER = "https://id.example.com"


async def signs_in(server: TetherServer, email: str) -> User:
    """Somebody signs in with this address, which their identity provider has verified."""
    identity = VerifiedIdentity(ISSUER, email.casefold(), email.partition("@")[0], email)
    return await Recognition(server.tether.units_of_work, server.tether.clock).recognize(identity)


async def user_id(client: Client) -> str:
    """Who a client acts as."""
    found: str = (await client.data("{ viewer { user { id } } }"))["viewer"]["user"]["id"]
    return found


async def key_id(client: Client) -> str:
    """By which key it does."""
    found: str = (await client.data("{ viewer { apiKey { id } } }"))["viewer"]["apiKey"]["id"]
    return found


async def new_key(server: TetherServer, client: Client, *, selection: str = "id", **members: Any) -> tuple[Client, Any]:
    """A client that acts by a new key of the same person, and what is selected of that key."""
    given = {"organizationId": await server.organization_id(), "name": "deploy bot", "role": "VIEWER", **members}
    payload = await client.mutate("createApiKey", f"token apiKey {{ {selection} }}", **given)
    assert payload["userErrors"] == []
    return server.client(payload["token"]), payload["apiKey"]


async def recorded(server: TetherServer) -> list[tuple[str, str, str | None, Any]]:
    """What people and keys have done to people and keys, in its order: the action, who, to whom, what changed."""
    rows = [row for row in await server.rows("audit_records") if row["actor_kind"] in ("USER", "API_KEY")]
    rows = sorted(rows, key=lambda row: row["id"])
    about = ("MEMBER_", "INVITATION_", "API_KEY_")
    return [
        (row["action"], row["actor_name"], row["subject_name"], row["data"])
        for row in rows
        if row["action"].startswith(about)
    ]
