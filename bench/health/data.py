"""Connections that can be checked: each of another account, with a sealed token that the sandbox knows.

Called by `scenarios.py`. They are as an hour of checks leaves them: one in twelve has a diagnosis that is an hour old
when it is checked, so that it is made anew; the others find what was known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from bench.data import COUNTERS, ORGANIZATIONS, PROBES, connect
from domain.credential_secrets import TokenSecret
from domain.credential_vault import CredentialVault
from domain.entities.health import ExternalAccount, HealthCheck, HealthCheckTrigger, HealthStatus, Identity
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.health import HealthSubject
from domain.secret import Secret
from domain.services.authorization import Grant
from gql.bootstrap import Tether
from persistence.repositories.service_credentials import credential_values

SERVICES: Final = ("github", "slack")
"""Odd numbers are accounts of the first, even ones of the second."""
EACH: Final = 100
"""Connections of an organization."""
_PATTERN: Final = 987654321
"""The number of the account that is really asked; what it tells is what all tell, but for the number."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a check of one account of a service found."""

    check: HealthCheck
    identity: Identity

    def finding(self, number: int) -> str | None:
        """What a check of the account with this number finds."""
        return replace(self.check, identity=self.identity_of(number)).finding

    def identity_of(self, number: int) -> Identity:
        def numbered(text: str) -> str:
            return text.replace(str(_PATTERN), str(number))

        def maybe(text: str | None) -> str | None:
            return None if text is None else numbered(text)

        told, key = self.identity.account, self.identity.webhook_key
        account = ExternalAccount(numbered(told.id), numbered(told.name), maybe(told.url), maybe(told.avatar_url))
        return replace(self.identity, account=account, webhook_key=maybe(key))


async def load(database_url: str, tether: Tether, connections: int) -> None:
    """Fill a migrated, empty database; none of them is due."""
    patterns = [await _pattern(tether, service) for service in SERVICES]
    connection = await connect(database_url)
    try:
        await connection.execute(ORGANIZATIONS, connections // EACH)
        await connection.execute(COUNTERS)
        await connection.execute(_TABLES)
        await connection.execute(_NUMBERS, EACH)
        numbers = await connection.fetch("select organization_id, id, number from bench_checks")
        told, credentials = _told(CredentialVault(tether.encryption), patterns, numbers)
        await connection.copy_records_to_table("bench_told", records=told)
        await connection.execute(_CONNECTIONS)
        await connection.execute(_HEALTH)
        names = ", ".join(credentials[0])  # COPY into a table with row security isn't to be had
        await connection.execute(f"create unlogged table bench_credentials as select {names} from service_credentials")
        records = [tuple(each.values()) for each in credentials]
        await connection.copy_records_to_table("bench_credentials", records=records, columns=list(credentials[0]))
        await connection.execute(f"insert into service_credentials ({names}) select {names} from bench_credentials")
        await connection.execute("drop table bench_credentials")
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


async def make_due(database_url: str, at: datetime, over: timedelta, *, first: int, count: int, settled: bool) -> None:
    """Have some be due from a moment on, spread over a time in an order by chance. `settled`: nothing is news."""
    connection = await connect(database_url)
    try:
        await connection.execute(_DUE, at, over, first, first + count, 11 if settled else 12)
    finally:
        await connection.close()


async def make_none_due(database_url: str) -> None:
    """None of them for a day, and tidy up, so that what comes next finds the tables as they were."""
    connection = await connect(database_url)
    try:
        await connection.execute("update connection_health set next_check_at = now() + interval '1 day', lease = null")
        await connection.execute("vacuum analyze connection_health, health_checks, call_budgets, service_connections")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


async def _pattern(tether: Tether, service: str) -> Pattern:
    subject = HealthSubject(service, {}, TokenSecret(_token(service, _PATTERN)), None, None)
    diagnosis = await tether.health_checks.run_health_check(
        subject, organization_id=new_id(), connection_id=new_id(), trigger=HealthCheckTrigger.CONNECT
    )
    check = diagnosis.check
    if check.identity is None or check.status is not HealthStatus.HEALTHY:
        raise RuntimeError(f"The sandbox's {service} doesn't answer well: {check.message}")
    return Pattern(check, check.identity)


def _token(service: str, number: int) -> Secret:
    return Secret(f"sandbox-{service}-{number}")


def _told(
    vault: CredentialVault, patterns: Sequence[Pattern], numbers: Sequence[Any]
) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
    """Rows of what checks have told of the connections, and of their credentials."""
    now = datetime.now(UTC) - timedelta(days=1)
    told: list[tuple[Any, ...]] = []
    credentials: list[dict[str, Any]] = []
    for organization_id, id_, number in numbers:
        which = (number + 1) % 2
        service, pattern = SERVICES[which], patterns[which]
        identity = pattern.identity_of(number)
        connection = _connection(organization_id, id_, service, now)
        credential = vault.create(connection, Grant(TokenSecret(_token(service, number))), identity, now)
        scopes = orjson.dumps(credential.scopes).decode()
        account = identity.account
        of_account = (account.id, account.name, account.url, account.avatar_url)
        told.append((id_, service, *of_account, identity.webhook_key, scopes, pattern.finding(number)))
        credentials.append({**credential_values(credential), "scopes": scopes})
    return told, credentials


def _connection(organization_id: UUID, id_: UUID, service: str, now: datetime) -> ServiceConnection:
    return ServiceConnection.create(
        id=id_,
        organization_id=organization_id,
        service=service,
        name="",
        labels={},
        settings={},
        required_scopes=(),
        created_by=None,
        now=now,
    )


_TABLES: Final = """
create unlogged table bench_checks (
    organization_id uuid, id uuid primary key, number integer unique, due_at timestamptz
);
create unlogged table bench_told (
    id uuid primary key, service text, account_id text, account_name text, account_url text, account_avatar_url text,
    webhook_key text, scopes text, finding text
)
"""

_NUMBERS: Final = """
insert into bench_checks
select id, uuidv7(), row_number() over (order by id, i) from organizations, generate_series(1, $1::integer) i
"""

_CONNECTIONS: Final = f"""
insert into service_connections (
    organization_id, id, service, name, name_key, status, status_changed_at,
    account_id, account_name, account_url, account_avatar_url, webhook_key,
    required_scopes, granted_scopes, missing_scopes, health_status, health_consecutive_failures, health_probes,
    labels, settings, version, created_at, updated_at
)
select
    c.organization_id, c.id, service, 'Connection ' || i, 'connection ' || i, 'ACTIVE', now() - interval '1 day',
    account_id, account_name, account_url, account_avatar_url, webhook_key,
    '[]', scopes::json, '[]', 'HEALTHY', 0,
    array(select p from json_populate_recordset(null::health_probe, ({PROBES})::json) p),
    '{{}}', '{{}}', 1, now() - interval '1 day', now() - interval '1 day'
from bench_checks c join bench_told using (id), lateral (select number as i) n
"""

_HEALTH: Final = """
insert into connection_health (
    organization_id, connection_id, service, checked_at, next_check_at, latency_ms, finding, diagnosis_id, diagnosed_at
)
select
    c.organization_id, c.id, service, now() - interval '5 minutes', now() + interval '1 day', 5,
    finding, uuidv7(), now()
from bench_checks c join bench_told using (id)
"""

_DUE: Final = """
with due as (
    update bench_checks set due_at = $1::timestamptz + random() * $2::interval
    where number >= $3 and number < $4 returning organization_id, id, number, due_at
)
update connection_health h set
    next_check_at = due_at, checked_at = due_at - interval '5 minutes',
    diagnosed_at = due_at - interval '5 minutes' * (1 + number / 2 % $5::integer), lease = null, leased_until = null
from due where h.organization_id = due.organization_id and h.connection_id = due.id
"""
