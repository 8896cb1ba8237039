"""The generated world of `tests/documents`, of whose API keys the tokens are known. Used by this folder."""

from dataclasses import dataclass, field

from domain.api_key import generate_api_key
from domain.entities.user import Role, Viewer
from tests.documents.data import World, make_world
from tests.fuzz.strategies import SPARE_KEYS


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks by a token."""

    token: str = field(repr=False)
    viewer: Viewer


def world_with_callers() -> tuple[World, list[Caller]]:
    """The same world each time, with other tokens: one for each API key but the last ones. None has ended."""
    world, callers = make_world(), []
    for row in world.table("api_keys"):
        new = generate_api_key(row["id"])
        row.update(secret_hash=new.secret_hash, revoked_at=None, expires_at=None)
        user = world.by_id("users", row["user_id"])
        assert user is not None
        confined_to = row["organization_id"] if row["confined"] else None
        viewer = Viewer(user["id"], user["name"], Role(row["role"]), row["id"], confined_to=confined_to)
        callers.append(Caller(new.token.reveal(), viewer))
    return world, callers[:-SPARE_KEYS]
