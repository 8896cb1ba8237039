"""The status machine of a connection: its states, and the one table of steps with what may cause each.

Asked by ServiceConnection; the read path writes `availableStatuses` from the same table.
"""

from enum import Flag, StrEnum, auto


class ConnectionStatus(StrEnum):
    """Where a connection is in its life."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    ERROR = "ERROR"


class Cause(Flag):
    """What may move a status: a member's wish, what a check found, a new credential, or what the service reports."""

    MEMBER = auto()
    CHECK = auto()
    RECONNECT = auto()
    SERVICE = auto()


_S = ConnectionStatus

TRANSITIONS: dict[tuple[ConnectionStatus, ConnectionStatus], Cause] = {
    (_S.PENDING, _S.ACTIVE): Cause.CHECK | Cause.RECONNECT,
    (_S.PENDING, _S.INACTIVE): Cause.MEMBER | Cause.SERVICE,
    (_S.PENDING, _S.EXPIRED): Cause.CHECK,
    (_S.PENDING, _S.REVOKED): Cause.CHECK | Cause.SERVICE,
    (_S.PENDING, _S.ERROR): Cause.CHECK,
    (_S.ACTIVE, _S.INACTIVE): Cause.MEMBER | Cause.SERVICE,
    (_S.ACTIVE, _S.EXPIRED): Cause.CHECK,
    (_S.ACTIVE, _S.REVOKED): Cause.CHECK | Cause.SERVICE,
    (_S.ACTIVE, _S.ERROR): Cause.CHECK,
    (_S.INACTIVE, _S.ACTIVE): Cause.MEMBER | Cause.SERVICE,
    (_S.INACTIVE, _S.REVOKED): Cause.SERVICE,
    (_S.ERROR, _S.ACTIVE): Cause.CHECK | Cause.RECONNECT,
    (_S.ERROR, _S.INACTIVE): Cause.MEMBER | Cause.SERVICE,
    (_S.ERROR, _S.EXPIRED): Cause.CHECK,
    (_S.ERROR, _S.REVOKED): Cause.CHECK | Cause.SERVICE,
    (_S.EXPIRED, _S.ACTIVE): Cause.RECONNECT,
    (_S.EXPIRED, _S.REVOKED): Cause.SERVICE,
    (_S.REVOKED, _S.ACTIVE): Cause.RECONNECT,
}
"""The whole status machine: a step that is not in this table is not taken, whoever asks."""


def allowed_for_members(current: ConnectionStatus) -> tuple[ConnectionStatus, ...]:
    """The statuses that a member with the right role may set from `current`, in the order of the enum."""
    return tuple(to for to in ConnectionStatus if Cause.MEMBER in TRANSITIONS.get((current, to), Cause(0)))


def refusal(current: ConnectionStatus, to: ConnectionStatus, allowed: tuple[ConnectionStatus, ...]) -> str:
    """What a member is told who asked for a step that the machine doesn't have."""
    if current in {_S.EXPIRED, _S.REVOKED}:
        return f"A connection that is {current} becomes ACTIVE again only with a new credential: use rotateCredentials."
    ways = " or ".join(allowed) or "no other status"
    return f"A connection that is {current} can't be set to {to}; from here it can be set to {ways}."
