"""Filters of lists: which conditions an operation's arguments ask for. Values are bound; what is given steers the SQL.

Used by `shapes.py`.
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from domain.entities.identifiers import Kind, parse_id
from domain.entities.text import search_key
from domain.errors import BadUserInput
from persistence.documents.compiler import ArgumentsOf, Compiler, Scope
from persistence.documents.dialects.dialect import Type, is_storable

SEARCH_LENGTH = 200


def connection_filter(compiler: Compiler, arguments: ArgumentsOf, alias: str, scope: Scope) -> list[str]:
    """ServiceConnectionFilter."""
    conditions = _Conditions(compiler, arguments, alias)
    conditions.one_of("service", "service")
    conditions.one_of("status", "status")
    conditions.one_of("health", "health_status")
    conditions.search("name_key")
    conditions.labels()
    if (before := conditions.bound("expiringBefore", Type.TIMESTAMP)) is not None:
        # Read first: they are few where this is asked, and an index has them together.
        expiring = (
            f"select k.connection_id from service_credentials k "
            f"where k.organization_id = {scope.organization} and k.ends_at < {before}"
        )
        conditions.written.append(compiler.dialect.one_of_few(f"{alias}.id", expiring))
    return conditions.written


def repository_filter(compiler: Compiler, arguments: ArgumentsOf, alias: str, scope: Scope) -> list[str]:
    """RepositoryFilter."""
    conditions = _Conditions(compiler, arguments, alias)
    conditions.search("full_name_key")
    for name in ("selected", "archived", "private"):
        if (wanted := conditions.given(name)) is not None:
            conditions.written.append(f"{alias}.{name}" if wanted else f"not {alias}.{name}")
    return conditions.written


def event_filter(compiler: Compiler, arguments: ArgumentsOf, alias: str, scope: Scope) -> list[str]:
    """ConnectionEventFilter."""
    conditions = _Conditions(compiler, arguments, alias)
    conditions.one_of("types", "type")
    if (ids := conditions.bound("connectionIds", Type.UUIDS, connection_ids)) is not None:
        conditions.written.append(compiler.dialect.one_of(f"{alias}.connection_id", ids))
    return conditions.written


def audit_filter(compiler: Compiler, arguments: ArgumentsOf, alias: str, scope: Scope) -> list[str]:
    """AuditLogFilter."""
    conditions = _Conditions(compiler, arguments, alias)
    conditions.one_of("actions", "action")
    conditions.compared("userId", "actor_user_id", "=", Type.UUID, _user_id)
    conditions.compared("apiKeyId", "actor_api_key_id", "=", Type.UUID, _api_key_id)
    conditions.compared("subjectId", "subject_id", "=", Type.TEXT)
    conditions.compared("since", "occurred_at", ">=", Type.TIMESTAMP)
    conditions.compared("until", "occurred_at", "<", Type.TIMESTAMP)
    return conditions.written


def command_run_filter(compiler: Compiler, arguments: ArgumentsOf, alias: str, scope: Scope) -> list[str]:
    """CommandRunFilter."""
    conditions = _Conditions(compiler, arguments, alias)
    conditions.one_of("commandIds", "command")
    conditions.one_of("statuses", "status")
    if (ids := conditions.bound("connectionIds", Type.UUIDS, connection_ids)) is not None:
        conditions.written.append(compiler.dialect.one_of(f"{alias}.connection_id", ids))
    return conditions.written


def api_key_filter(compiler: Compiler, arguments: ArgumentsOf, alias: str, scope: Scope) -> list[str]:
    """The argument `usable` of a list of keys."""
    if (wanted := arguments.given("usable")) is None:
        return []
    usable = f"{alias}.revoked_at is null and ({alias}.expires_at is null or {alias}.expires_at > {compiler.now()})"
    return [f"({usable})" if wanted else f"not ({usable})"]


def since_filter(compiler: Compiler, arguments: ArgumentsOf, alias: str, scope: Scope) -> list[str]:
    """The argument `since` of a list of checks."""
    if arguments.given("since") is None:
        return []
    since = compiler.named(f"since {alias}", arguments.binder(lambda given: given["since"]), Type.TIMESTAMP)
    return [f"{alias}.started_at >= {since}"]


def connection_ids(ids: list[str]) -> list[UUID]:
    """Typed ids of connections as bare UUIDs. Raises BadUserInput for ids of another type."""
    return [_connection_id(text) for text in ids]


def _connection_id(text: str) -> UUID:
    return _id(Kind.CONNECTION, text, "a connection")


def _user_id(text: str) -> UUID:
    return _id(Kind.USER, text, "a person")


def _api_key_id(text: str) -> UUID:
    return _id(Kind.API_KEY, text, "an API key")


def _id(kind: Kind, text: str, what: str) -> UUID:
    parsed = parse_id(kind, text)
    if parsed is None:
        raise BadUserInput(f"{text[:80]!r} is not the id of {what}, which looks like {kind}_0192f0c1-….")
    return parsed


class _Conditions:
    """The conditions on an alias that the argument `filter` asks for."""

    def __init__(self, compiler: Compiler, arguments: ArgumentsOf, alias: str) -> None:
        self.compiler, self.arguments, self.alias = compiler, arguments, alias
        self.shape: Mapping[str, Any] = arguments.given("filter") or {}
        self.written: list[str] = []

    def given(self, name: str) -> Any:
        return self.shape.get(name)

    def bound(self, name: str, type_: Type, read: Callable[[Any], Any] = lambda value: value) -> str | None:
        """A parameter for a member of the filter; None where it isn't given."""
        if self.given(name) is None:
            return None
        return self.compiler.bind(self.arguments.binder(lambda given: read(given["filter"][name])), type_)

    def one_of(self, name: str, column: str) -> None:
        if (values := self.bound(name, Type.TEXTS, list)) is not None:
            self.written.append(self.compiler.dialect.one_of(f"{self.alias}.{column}", values))

    def compared(
        self, name: str, column: str, comparison: str, type_: Type, read: Callable[[Any], Any] = lambda value: value
    ) -> None:
        if (value := self.bound(name, type_, read)) is not None:
            self.written.append(f"{self.alias}.{column} {comparison} {value}")

    def search(self, column: str) -> None:
        if (wanted := self.bound("search", Type.TEXT, _search)) is not None:
            self.written.append(self.compiler.dialect.contains(f"{self.alias}.{column}", wanted))

    def labels(self) -> None:
        if (labels := self.bound("labels", Type.JSON, _labels)) is not None:
            self.written.append(self.compiler.dialect.has_labels(f"{self.alias}.labels", labels))


def _search(text: str) -> str:
    if "\0" in text or len(text) > SEARCH_LENGTH:
        raise BadUserInput(f"search takes at most {SEARCH_LENGTH} characters, none of them NUL.")
    return search_key(text)


def _labels(labels: Any) -> dict[str, str]:
    texts = [*labels, *labels.values()] if isinstance(labels, dict) else [None]
    if not all(isinstance(text, str) and is_storable(text) for text in texts):
        raise BadUserInput('labels is an object of text by text, such as {"team": "platform"}.')
    return dict(labels)
