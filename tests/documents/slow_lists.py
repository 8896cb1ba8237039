"""The slow evaluator's lists that take a filter: connections, events and so on. Used by slow_evaluator.py."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from graphql import GraphQLError

from tests.documents.asked import Asked
from tests.documents.slow_pages import page_of
from tests.documents.world_maker import NOW, Row


def connections_page(asked: Asked, organization: Row, **given: Any) -> Row:
    wanted = given.get("filter") or {}
    rows = []
    for row in asked.rows("service_connections", organization_id=organization["id"], deleted_at=None):
        labels, before = wanted.get("labels"), wanted.get("expiringBefore")
        credential = asked.one("service_credentials", connection_id=row["id"])
        ends = credential and ends_at(credential)
        if (
            row["service"] in _either(wanted, "service", row["service"])
            and row["status"] in _either(wanted, "status", row["status"])
            and row["health_status"] in _either(wanted, "health", row["health_status"])
            and _fold(wanted.get("search") or "") in row["name_key"]
            and (labels is None or labels.items() <= row["labels"].items())
            and (before is None or (ends is not None and ends < before))
        ):
            health = asked.one("connection_health", connection_id=row["id"]) or {}
            rows.append({**row, "checked_at": health["checked_at"]})
    order = given["orderBy"]
    column = {"NAME": "name_key"}.get(order["field"], order["field"].lower())
    never = datetime(1970, 1, 1, tzinfo=UTC)
    return page_of(organization["id"], rows, column, given, descending=order["direction"] == "DESC", never=never)


def ends_at(credential: Row) -> Any:
    """When it ends for good."""
    return credential["refresh_expires_at" if credential["refreshable"] else "expires_at"]


def expiring(asked: Asked, organization: Row, within: int) -> list[Row]:
    """The credentials that end within so many days, with that moment."""
    found = []
    for row in asked.rows("service_credentials", organization_id=organization["id"]):
        connection, ends = asked.one("service_connections", id=row["connection_id"]), ends_at(row)
        if connection is None or connection["deleted_at"] or connection["status"] in ("EXPIRED", "REVOKED"):
            continue
        if ends is not None and NOW < ends <= NOW + timedelta(days=within):
            found.append({**row, "ends_at": ends})
    return found


def _either(wanted: Mapping[str, Any], name: str, otherwise: Any) -> list[Any]:
    given = wanted.get(name)
    return [otherwise] if given is None else given


def repositories_page(asked: Asked, organization_id: UUID, rows: list[Row], given: Mapping[str, Any]) -> Row:
    wanted = given.get("filter") or {}
    rows = [
        row
        for row in rows
        if _fold(wanted.get("search") or "") in row["full_name_key"]
        and all(wanted.get(name) in (None, row[name]) for name in ("selected", "archived", "private"))
    ]
    return page_of(organization_id, rows, "full_name_key", given)


def events_page(asked: Asked, organization_id: UUID, rows: list[Row], given: Mapping[str, Any]) -> Row:
    wanted = given.get("filter") or {}
    ids = wanted.get("connectionIds")
    rows = [
        row
        for row in rows
        if row["type"] in _either(wanted, "types", row["type"])
        and (ids is None or f"conn_{row['connection_id']}" in ids)
    ]
    return page_of(organization_id, rows, "sequence", given, descending=True)


def command_runs_page(asked: Asked, organization_id: UUID, rows: list[Row], given: Mapping[str, Any]) -> Row:
    wanted = given.get("filter") or {}
    ids = wanted.get("connectionIds")
    rows = [
        row
        for row in rows
        if row["command"] in _either(wanted, "commandIds", row["command"])
        and row["status"] in _either(wanted, "statuses", row["status"])
        and (ids is None or f"conn_{row['connection_id']}" in ids)
    ]
    return page_of(organization_id, rows, "created_at", given, descending=True)


class Refused(GraphQLError):
    """One field is for others."""


def is_refusal(error: GraphQLError) -> bool:
    """Whether one field is refused, beside which the rest is answered."""
    return isinstance(error.original_error, Refused) or isinstance(error, Refused)


def audit_page(asked: Asked, organization: Row, **given: Any) -> Row:
    if asked.effective_role(organization["id"]) != "OWNER":
        raise Refused("for owners")
    wanted = given.get("filter") or {}
    rows = [
        row
        for row in asked.rows("audit_records", organization_id=organization["id"])
        if row["action"] in _either(wanted, "actions", row["action"])
        and wanted.get("userId") in (None, f"user_{row['actor_user_id']}")
        and wanted.get("apiKeyId") in (None, f"key_{row['actor_api_key_id']}")
        and wanted.get("subjectId") in (None, row["subject_id"])
        and (wanted.get("since") is None or row["occurred_at"] >= wanted["since"])
        and (wanted.get("until") is None or row["occurred_at"] < wanted["until"])
    ]
    return page_of(organization["id"], rows, "occurred_at", given, descending=True)


def invitations_page(asked: Asked, organization: Row, **given: Any) -> Row:
    if asked.effective_role(organization["id"]) != "OWNER":
        raise Refused("for owners")
    rows = asked.rows("invitations", organization_id=organization["id"])
    return page_of(organization["id"], rows, "created_at", given, descending=True)


def api_keys_page(asked: Asked, organization: Row, usable: bool | None = None, **given: Any) -> Row:
    rows = [
        row
        for row in asked.rows("api_keys", organization_id=organization["id"])
        if key_seen(asked, row)
        and usable in (None, row["revoked_at"] is None and (row["expires_at"] is None or row["expires_at"] > NOW))
    ]
    return page_of(organization["id"], rows, "created_at", given, descending=True)


def key_seen(asked: Asked, key: Row) -> bool:
    own = key["user_id"] == asked.viewer.user_id
    return own or asked.effective_role(key["organization_id"]) in ("OWNER", "ADMIN")


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())
