"""On PostgreSQL, rows are shown to whom the transaction is bound to only, whatever a statement asks for.

The policies hold for the tables' owner, too, as which Tether runs. They don't for superusers and roles with BYPASSRLS.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0009"
down_revision: str | None = "0007"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

# A select of its own is evaluated once in a statement rather than for each row. Missing or empty: nothing is reached.
_EVERYWHERE = "(select current_setting('app.org', true) = '*')"
_REACHED = "(select string_to_array(nullif(current_setting('app.org', true), '*'), ',')::uuid[])::uuid[]"
_BOUND = "(select current_setting('app.org', true) <> '')"

_OF_ORGANIZATIONS = (  # all that have an organization_id
    "api_keys",
    "audit_records",
    "authorization_flows",
    "connection_events",
    "connection_health",
    "event_counters",
    "health_checks",
    "health_days",
    "idempotency_keys",
    "invitations",
    "memberships",
    "repositories",
    "repository_sync_pages",
    "repository_syncs",
    "service_connections",
    "service_credentials",
    "tasks",
)
_OF_THE_SERVER = ("data_keys", "sessions", "sign_in_flows", "user_identities", "webhook_deliveries")


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table in _OF_ORGANIZATIONS:
        _protect(table, f"{_EVERYWHERE} or organization_id = any({_REACHED})")
    _protect("organizations", f"{_EVERYWHERE} or id = any({_REACHED})")
    for table in ("users", *_OF_THE_SERVER):
        _protect(table, _EVERYWHERE)
    # People belong to no organization, and are named where they did something before they left one.
    op.execute(f"create policy named on users for select using ({_BOUND})")


def downgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute("drop policy named on users")
    for table in (*_OF_ORGANIZATIONS, "organizations", "users", *_OF_THE_SERVER):
        op.execute(f"drop policy reach on {table}")
        op.execute(f"alter table {table} no force row level security")
        op.execute(f"alter table {table} disable row level security")


def _protect(table: str, condition: str) -> None:
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(f"create policy reach on {table} using ({condition})")
