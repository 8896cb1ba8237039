"""Limits: how much may be asked of a server at once, all of which its operator can set. Read by `settings.py`.

Handed down by the composition root to the schema, the view, its sockets and the server. A field more is a setting more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Final, Self

from gql.settings_reader import SettingsReader


@dataclass(frozen=True, slots=True)
class Setting:
    """How a limit is set: by which variable, in which unit, and from where to where."""

    variable: str
    unit: str
    possible: range


def _limit(default: int, variable: str, unit: str, least: int, most: int) -> int:
    return field(default=default, metadata={"setting": Setting(variable, unit, range(least, most + 1))})


@dataclass(frozen=True, slots=True)
class Limits:
    """Each is the most that is asked or answered, with the default of a server whose operator set none."""

    cost: int = _limit(100_000, "TETHER_MAX_COST", "points", 1, 100_000_000)
    """Of an operation, worked out before it runs."""
    budget_points: int = _limit(1_000_000, "TETHER_BUDGET_POINTS", "points", 1, 999_999_999)
    """What somebody may spend who hasn't asked for anything for a while."""
    budget_points_per_minute: int = _limit(600_000, "TETHER_BUDGET_POINTS_PER_MINUTE", "points", 1, 999_999_999)
    statements: int = _limit(500, "TETHER_MAX_STATEMENTS", "statements", 10, 100_000)
    """That a query or a mutation runs in the database."""
    page_size: int = _limit(100, "TETHER_MAX_PAGE_SIZE", "items", 1, 1_000)
    ids: int = _limit(100, "TETHER_MAX_IDS", "ids", 1, 1_000)
    """In `nodes`."""
    definitions: int = _limit(100, "TETHER_MAX_DEFINITIONS", "definitions", 1, 10_000)
    """Operations and fragments of a document, each of which is validated, whether it runs or not."""
    depth: int = _limit(12, "TETHER_MAX_DEPTH", "levels", 1, 100)
    """Fields within each other."""
    root_fields: int = _limit(20, "TETHER_MAX_ROOT_FIELDS", "fields", 1, 1_000)
    aliases: int = _limit(30, "TETHER_MAX_ALIASES", "aliases", 0, 1_000)
    repeated_fields: int = _limit(30, "TETHER_MAX_REPEATED_FIELDS", "fields", 0, 200)
    """Fields that are asked for twice: validation compares each with each."""
    directives: int = _limit(50, "TETHER_MAX_DIRECTIVES", "directives", 0, 1_000)
    introspections: int = _limit(2, "TETHER_MAX_INTROSPECTIONS", "fields", 0, 10)
    """`__schema` and `__type`; an alias of `__schema`, or below it, counts as another."""
    introspection_depth: int = _limit(2, "TETHER_MAX_INTROSPECTION_DEPTH", "levels", 1, 2)
    """Lists of an introspection within each other: `types { fields }` are two."""
    boolean_variables: int = _limit(8, "TETHER_MAX_BOOLEAN_VARIABLES", "variables", 0, 16)
    """Each doubles the plans that an operation can have."""
    tokens: int = _limit(2_000, "TETHER_MAX_TOKENS", "tokens", 100, 100_000)
    """Of an operation's text, and fields once its fragments are spread."""
    characters: int = _limit(32_768, "TETHER_MAX_CHARACTERS", "characters", 1_000, 10_000_000)
    variables: int = _limit(50, "TETHER_MAX_VARIABLES", "variables", 0, 1_000)
    input_depth: int = _limit(10, "TETHER_MAX_INPUT_DEPTH", "levels", 1, 100)
    """Lists and objects within each other, in arguments and variables."""
    input_fields: int = _limit(100, "TETHER_MAX_INPUT_FIELDS", "fields", 1, 10_000)
    """Of an object in arguments and variables."""
    input_items: int = _limit(500, "TETHER_MAX_INPUT_ITEMS", "items", 1, 100_000)
    """Of a list there."""
    body_kilobytes: int = _limit(256, "TETHER_MAX_BODY_KILOBYTES", "kilobytes", 1, 65_536)
    frame_kilobytes: int = _limit(64, "TETHER_MAX_FRAME_KILOBYTES", "kilobytes", 1, 65_536)
    """Of a message on a WebSocket."""
    socket_operations: int = _limit(20, "TETHER_MAX_SOCKET_OPERATIONS", "operations", 1, 10_000)
    """At a time, on one WebSocket."""
    socket_init_seconds: int = _limit(5, "TETHER_MAX_SOCKET_INIT_SECONDS", "seconds", 1, 300)
    """Until a WebSocket that was opened says who asks."""
    socket_messages: int = _limit(50, "TETHER_MAX_SOCKET_MESSAGES", "messages", 1, 100_000)
    """Heard in a second on one WebSocket; more are heard later."""
    socket_unread_seconds: int = _limit(30, "TETHER_MAX_SOCKET_UNREAD_SECONDS", "seconds", 1, 3_600)
    """How long the client of a WebSocket, or of a stream, may leave unread what it is sent."""
    open_streams: int = _limit(10_000, "TETHER_MAX_OPEN_STREAMS", "sockets and streams", 1, 1_000_000)
    """In one process."""
    caller_streams: int = _limit(200, "TETHER_MAX_CALLER_STREAMS", "sockets and streams", 1, 1_000_000)
    """Of one user, or of strangers from one address."""
    caller_operations: int = _limit(1_000, "TETHER_MAX_CALLER_OPERATIONS", "operations", 1, 1_000_000)
    """At a time, on all sockets and streams of one user."""
    stream_quiet_seconds: int = _limit(10, "TETHER_MAX_STREAM_QUIET_SECONDS", "seconds", 1, 3_600)
    """How long a stream over HTTP says nothing, so that no proxy takes it for dead."""
    request_seconds: int = _limit(30, "TETHER_MAX_REQUEST_SECONDS", "seconds", 1, 3_600)
    """Until a query or a mutation is answered; and until a request's body is there, before that."""

    @classmethod
    def read(cls, reader: SettingsReader) -> Self:
        """Notes what is wrong with the reader."""
        limits = cls(
            **{
                name: reader.whole_number(setting.variable, setting.unit, default, setting.possible)
                for name, setting, default in settings_of_limits()
            }
        )
        if limits.budget_points < limits.cost:
            reader.problems.append(
                "TETHER_BUDGET_POINTS: It is smaller than TETHER_MAX_COST, so that some operations could never run."
            )
        return limits


def settings_of_limits() -> Iterator[tuple[str, Setting, int]]:
    """Each limit's name, how it is set, and its default."""
    for each in fields(Limits):
        yield each.name, each.metadata["setting"], getattr(DEFAULT_LIMITS, each.name)


DEFAULT_LIMITS: Final = Limits()
LIMIT_VARIABLES: Final = tuple(setting.variable for _, setting, _ in settings_of_limits())
