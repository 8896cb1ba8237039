"""A world in which it shows whose something is: each text of an organization carries its mark, and each id is known.

Made of the generated world of `tests/documents`, whose organizations acme and globex get a member of each role here who
is in no other one. Used by this folder.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Text

from domain.entities.text import search_key
from domain.entities.user import Role
from persistence.tables import metadata
from tests.documents.data import World
from tests.documents.world_maker import NOW, Row, make_rows

TWO: Final = ("acme", "globex")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_MARK: Final = re.compile("canary-of-[a-z-]+")

_FREE_TEXTS: Final = {
    "organizations": ["name"],
    "api_keys": ["name"],
    "audit_records": ["actor_name", "address", "request_id", "subject_name", "data"],
    "connection_events": ["actor_name", "address", "request_id", "status_reason_message", "data"],
    "command_runs": ["actor_name", "address", "request_id", "arguments", "result", "url", "error_message"],
    "health_checks": ["message"],
    "invitations": ["email"],
    "repositories": ["full_name", "url", "default_branch", "external_id"],
    "service_connections": [
        *("name", "status_reason_message", "account_id", "account_name", "account_url", "account_avatar_url"),
        *("health_message", "labels", "settings", "webhook_key"),
    ],
    "service_credentials": ["fingerprint", "sealed", "scopes"],
}
"""The columns that hold what an organization or its services chose to say."""
_KEYS: Final = {"name_key": "name", "full_name_key": "full_name", "email_key": "email"}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, and what they are where; nowhere: a stranger."""

    user_id: UUID
    name: str
    email: str
    organization: str | None
    role: Role


@dataclass(frozen=True)
class TwoOrganizations:
    """The rows by the names of their tables, and the people who look at them."""

    rows: dict[str, list[Row]] = field(repr=False)
    people: list[Person]

    @property
    def world(self) -> World:
        return World(self.rows)

    @cached_property
    def slugs(self) -> dict[UUID, str]:
        return {row["id"]: row["slug"] for row in self.rows["organizations"]}

    def organization_id(self, slug: str) -> UUID:
        return next(id_ for id_, each in self.slugs.items() if each == slug)

    def of(self, table: str, slug: str) -> list[Row]:
        """The rows of an organization."""
        return self._rows_of.get((table, slug), [])

    def person(self, slug: str, role: Role) -> Person:
        return next(each for each in self.people if (each.organization, each.role) == (slug, role))

    @cached_property
    def stranger(self) -> Person:
        return next(each for each in self.people if each.organization is None)

    @cached_property
    def memberships(self) -> Mapping[UUID, set[str]]:
        """Where each user belongs."""
        places: dict[UUID, set[str]] = {row["id"]: set() for row in self.rows["users"]}
        for row in self.rows["memberships"]:
            places[row["user_id"]].add(self.slugs[row["organization_id"]])
        return places

    @cached_property
    def _rows_of(self) -> Mapping[tuple[str, str | None], list[Row]]:
        found: dict[tuple[str, str | None], list[Row]] = {}
        for table, rows in self.rows.items():
            for row in rows:
                found.setdefault((table, self._owner(table, row)), []).append(row)
        return found

    @cached_property
    def _owners(self) -> Mapping[str, str]:
        """Whose each id is, of all rows that are one organization's, and of those who are in no other."""
        owners = {str(person.user_id): person.organization or "nobody" for person in self.people}
        for name, rows in self.rows.items():
            for row in rows:
                if (owner := self._owner(name, row)) is not None and "id" in row:
                    owners[str(row["id"])] = owner
        return owners

    def leaks(self, text: str, own: set[str], *, known: str = "") -> set[str]:
        """What a text tells of other organizations than one's own, besides what stands in the text `known`."""
        told = {found for found in _UUID.findall(text) if self._owners.get(found, "nobody") not in {*own, "nobody"}}
        told |= {found for found in _MARK.findall(text) if found.removeprefix("canary-of-") not in own}
        return {found for found in told if found not in known}

    def _owner(self, table: str, row: Row) -> str | None:
        id_ = row["id"] if table == "organizations" else row.get("organization_id")
        return None if id_ is None else self.slugs[id_]


def make_two_organizations() -> TwoOrganizations:
    """The same each time."""
    rows = make_rows()
    organizations = {row["slug"]: row for row in rows["organizations"]}
    people = list(_join(rows, organizations))
    made = TwoOrganizations(rows, people)
    _act_by_keys(made)
    _keep_subjects_at_home(made)
    for table, columns in _FREE_TEXTS.items():
        for row in rows[table]:
            owner = made._owner(table, row)
            for column in columns:
                row[column] = _marked(row.get(column), f"canary-of-{owner}")
            for key, of in _KEYS.items():
                if key in row:
                    row[key] = search_key(row[of])
            for probe in row.get("health_probes", []) + row.get("probes", []):
                probe["message"] = _marked(probe["message"], f"canary-of-{owner}")
    return TwoOrganizations(rows, people)  # which has looked at nothing before it was altered


def _join(rows: dict[str, list[Row]], organizations: Mapping[str, Row]) -> Iterator[Person]:
    """One of each role in each of the two organizations, and somebody who is nowhere."""
    number = 0
    for slug in (*TWO, None):
        for role in Role if slug else [Role.OWNER]:
            number += 1
            id_ = UUID(int=number << 64 | 0x4000 << 64 | 0x8 << 60)
            person = Person(id_, f"{role} of {slug}", f"{role}@{slug}.example".lower(), slug, role)
            rows["users"].append(
                {"id": person.user_id, "name": person.name, "email": person.email, "email_key": person.email}
                | {"avatar_url": None, "created_at": NOW}
            )
            if slug:
                rows["memberships"].append(
                    {"organization_id": organizations[slug]["id"], "user_id": person.user_id}
                    | {"role": role.value, "joined_at": NOW + timedelta(seconds=number)}
                )
            yield person


def _act_by_keys(made: "TwoOrganizations") -> None:
    """In each of the two, what happened last was done by a key of theirs, and something was that is recorded."""
    for slug in TWO:
        newest = max(made.of("connection_events", slug), key=lambda row: int(row["sequence"]))
        key = made.of("api_keys", slug)[0]
        for row in (newest, made.of("audit_records", slug)[0]):
            row |= {"actor_kind": "API_KEY", "actor_user_id": key["user_id"], "actor_api_key_id": key["id"]}


def _keep_subjects_at_home(made: TwoOrganizations) -> None:
    """What the generated audit records are about may be another organization's, which no real one is."""
    for slug in made.slugs.values():
        own = [row["id"] for row in made.of("service_connections", slug)]
        for number, row in enumerate(made.of("audit_records", slug)):
            row["subject_id"] = (row["subject_id"] and own and f"conn_{own[number % len(own)]}") or None


def _marked(value: Any, mark: str) -> Any:
    """A value with the mark in it; of the kind that it was."""
    if isinstance(value, str):
        return f"{value} {mark}"
    if isinstance(value, dict):  # of which parts are answered by themselves
        return {**value, "mark": mark} | ({"text": f"{value['text']} {mark}"} if "text" in value else {})
    if isinstance(value, list):
        return [*value, mark]
    return value


def unmarked_texts() -> set[tuple[str, str]]:
    """Columns of text in tenants' tables that carry no mark: such as hold words of ours."""
    tables = [table for table in metadata.sorted_tables if "organization_id" in table.columns]
    return {
        (table.name, column.name)
        for table in tables
        for column in table.columns
        if isinstance(column.type, Text) and column.name not in [*_FREE_TEXTS.get(table.name, []), *_KEYS]
    }
