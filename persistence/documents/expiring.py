"""Credentials that end: the one meaning that a summary, a filter and a list of them give to it.

Used by `shapes.py`, `computed.py` and `filters.py`. A credential ends at `ends_at`, which the table works out: where it
can be refreshed, when that ends.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from domain.entities.connection_status import ConnectionStatus
from domain.errors import BadUserInput
from persistence.documents.compiler import ArgumentsOf, Compiler, Scope
from persistence.documents.dialects.dialect import Type, quoted

SOON_DAYS = 7
MOST_DAYS = 400

_OVER = ", ".join(quoted(status) for status in (ConnectionStatus.EXPIRED, ConnectionStatus.REVOKED))


def ends_between(row: str, start: str, end: str) -> str:
    """Whether a credential ends after one moment and by another, and its connection still lives by it."""
    return (
        f"{row}.ends_at > {start} and {row}.ends_at <= {end} and exists (select 1 from service_connections c "
        f"where c.organization_id = {row}.organization_id and c.id = {row}.connection_id "
        f"and c.deleted_at is null and c.status not in ({_OVER}))"
    )


def within_filter(compiler: Compiler, arguments: ArgumentsOf, alias: str, scope: Scope) -> list[str]:
    """The argument `within` of the list of credentials that end."""
    until = compiler.named(f"until {alias}", arguments.binder_at(_until), Type.TIMESTAMP)
    return [ends_between(alias, compiler.now(), until)]


def _until(arguments: Mapping[str, Any], now: datetime) -> datetime:
    days = arguments["within"]
    if not 1 <= days <= MOST_DAYS:
        raise BadUserInput(f"within is a number of days from 1 to {MOST_DAYS}; it is {days}.")
    return now + timedelta(days=days)
