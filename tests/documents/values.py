"""What generated queries give as ids, search texts, labels and moments: such as hit the world, and such as don't."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from domain.entities.user import Role, Viewer
from tests.documents.data import World
from tests.documents.world_maker import COMMANDS, LABELS, NOW, ROLES

_TABLES = {
    "conn": "service_connections",
    "org": "organizations",
    "repo": "repositories",
    "cred": "service_credentials",
    "chk": "health_checks",
    "evt": "connection_events",
    "run": "command_runs",
    "user": "users",
    "key": "api_keys",
    "inv": "invitations",
    "aud": "audit_records",
}
_LISTED = ["org", "conn", "conn", "repo", "evt"]
_SEARCHES = [
    "",
    "O",
    "octo",
    "STRASSE",
    "ß",
    "i̇",
    "İ",
    "é",
    "e\u0301",
    "'",
    "\\",
    "%",
    "_",
    "🚀",
    "\u2028",
    "fi",
    "acme/",
]
_NO_IDS = ["", "conn_", "conn_0", "org_00000000-0000-4000-8000-000000000000", "x\u2028", "conn_{}", "github"]


class Values:
    """Draws values for arguments by their names."""

    def __init__(self, world: World) -> None:
        self._ids = {
            prefix: [f"{prefix}_{row['id']}" for row in world.table(table)] for prefix, table in _TABLES.items()
        }
        self._slugs = [row["slug"] for row in world.table("organizations")]
        self._world = world

    def draw(self, name: str, chance: random.Random) -> Any:
        """A value for the argument or input field of that name."""
        match name:
            case "id" | "ids":
                prefix = chance.choice([*_TABLES, *_LISTED])
                return chance.choice(self._ids[prefix]) if chance.random() < 0.85 else self._wrong_id(chance)
            case "connectionIds" | "subjectId":
                return chance.choice(self._ids["conn"])
            case "userId" | "apiKeyId":
                return chance.choice(self._ids["user" if name == "userId" else "key"])
            case "commandIds":
                return chance.choice([*COMMANDS, "nope.nothing'\""])
            case "slug":
                return chance.choice([*["acme"] * 6, *self._slugs, *self._slugs, "nope", "ACME", "", "ü'\""])
            case "service":
                return chance.choice(["github", "slack", "github", "Slack", "nope'\""])
            case "search":
                return chance.choice(_SEARCHES)
            case "labels":
                return chance.choice([*LABELS, {"team": "nobody"}, {"tier": "1"}])
            case "selected" | "archived" | "private" | "usable":
                return chance.random() < 0.5
            case "within":
                return chance.choice([1, 3, 7, 8, 90, 120, 400, 400])
            case "since" | "until" | "expiringBefore":
                return self._moment(chance)
        raise AssertionError(f"no values for {name}")

    def viewer(self, chance: random.Random) -> Viewer:
        """Someone, and half of the time the one who is everywhere a member."""
        viewers = self.viewers()
        return chance.choice(viewers[: len(ROLES)] if chance.random() < 0.5 else viewers)

    def viewers(self) -> list[Viewer]:
        """Each user, the one who is everywhere a member first, by keys of every role; as an owner by none.

        Those with the role ADMIN act by a key that is confined to one of the organizations, in turn. The keys are of
        organizations that they belong to, since whoever leaves one loses those that it issued.
        """
        places = [row["id"] for row in self._world.table("organizations")]
        return [
            Viewer(
                user["id"],
                user["name"],
                Role(role),
                None if role == "OWNER" else self._key(user["id"], number, places if role != "ADMIN" else [place]),
                confined_to=place if role == "ADMIN" else None,
            )
            for number, user in enumerate(self._world.table("users"))
            for place in [places[number % len(places)]]
            for role in ROLES
        ]

    def _key(self, user_id: UUID, number: int, places: Sequence[UUID]) -> UUID | None:
        memberships = self._world.table("memberships")
        own = {row["organization_id"] for row in memberships if row["user_id"] == user_id} & set(places)
        keys: list[UUID] = [row["id"] for row in self._world.table("api_keys") if row["organization_id"] in own]
        return keys[number % len(keys)] if keys else None

    def _wrong_id(self, chance: random.Random) -> str:
        right: str = chance.choice(self._ids["conn"])
        return chance.choice(
            [*_NO_IDS, right.upper(), right + "0", right.replace("conn", "repo"), right.replace("-", "")]
        )

    def _moment(self, chance: random.Random) -> str:
        moment = NOW - timedelta(
            hours=chance.choice([-168, -72, 0, 1, 4, 30, 31, 250, 2_000]), microseconds=chance.choice([0, 1, 120_000])
        )
        text = moment.isoformat()
        return chance.choice(
            [text, text.replace("+00:00", "Z"), f"{moment:%Y-%m-%dT%H:%M:%S}+05:30", f"{moment:%Y-%m-%d}T00:00:00Z"]
        )
