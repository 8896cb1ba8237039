"""Row security: the net below every statement's own condition, in which PostgreSQL holds a transaction to its reach.

The policies of `migrations/versions/0009_row_security.py` show a tenant's rows to whom the setting `app.org` names: an
organization's id, several with commas between, or `*` for all. Unset, they show nothing. Transaction sets it when it
begins; a statement that runs by itself, as documents do, sets it first. SQLite has no such net.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from domain.entities.user import Viewer

BYPASSED: Final = "select rolsuper or rolbypassrls from pg_roles where rolname = current_user"
"""Whether no policy holds for the role that asks."""

_NOBODY: Final = UUID(int=0)
"""No organization's id: for whom there is none to see, but people have names all the same."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose rows a transaction may see: how to set it, for as long as the transaction lasts."""

    select: str
    values: tuple[Any, ...]


def one_organization(organization_id: UUID) -> Reach:
    """That organization's rows."""
    return Reach(_SET, (str(organization_id),))


def of_viewer(viewer: Viewer) -> Reach:
    """The rows of all organizations that a viewer may look into."""
    own = own_organizations("$1::uuid", "$2::uuid")
    return Reach(f"select {_within(own, 'true')}", (viewer.user_id, viewer.confined_to))


_SET: Final = "select set_config('app.org', $1, true)"

EVERYWHERE: Final = Reach(_SET, ("*",))
"""All rows: for work that is meant for all organizations."""

NOWHERE: Final = Reach(_SET, ("",))
"""No tenant's rows."""


def everywhere(select: str) -> str:
    """A select of one value that sees every row."""
    return "select " + _after_setting("'*'", f"({select})")


def within(own: str, select: str) -> str:
    """A select of one value that sees the rows of the organizations that the select `own` gives.

    CASE is what PostgreSQL promises to evaluate in its order: for `own` alone every row can be seen, then its answer is
    the reach, and then the select runs, all in the same snapshot.
    """
    return f"select {_within(own, f'({select})')}"


def own_organizations(user: str, confined_to: str) -> str:
    """A select of the organizations of a user, or of `confined_to` alone unless that is null; both are parameters."""
    return f"select string_agg(m.organization_id::text, ',') from memberships m where {_own(user, confined_to)}"


def own_organization_of(table: str, organization: str, condition: str, user: str, confined_to: str) -> str:
    """The same of the one organization whose row in a table, `{row}` in the condition, that is."""
    return (
        f"select m.organization_id::text from {table} r join memberships m on m.organization_id = r.{organization} "
        f"where {condition.format(row='r')} and {_own(user, confined_to)}"
    )


def rows_as_json(select: str) -> str:
    """A select of one value: the rows of another one, as a JSON text of objects."""
    return f"select coalesce(json_agg(r), '[]')::text from ({select}) r"


def _own(user: str, confined_to: str) -> str:
    return f"m.user_id = {user} and ({confined_to} is null or m.organization_id = {confined_to})"


def _within(own: str, then: str) -> str:
    return _after_setting("'*'", _after_setting(f"coalesce(({own}), '{_NOBODY}')", then))


def _after_setting(value: str, then: str) -> str:
    return f"case when set_config('app.org', {value}, true) is not null then {then} end"
