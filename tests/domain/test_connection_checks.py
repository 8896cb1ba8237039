"""Checking the health of connections and rotating their credentials, also while others change them."""

import asyncio
from datetime import timedelta

import pytest

from domain.credential_secrets import TokenSecret
from domain.credential_vault import CredentialVault
from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import ConnectionEventType
from domain.entities.health import HealthCheckTrigger, HealthStatus, Remedy, Verdict
from domain.entities.user import Role
from domain.errors import (
    AccountMismatch,
    InvalidInput,
    InvalidTransition,
    NotFound,
    ServiceFailure,
)
from domain.secret import Secret, fingerprint
from tests.domain.world import World

pytestmark = pytest.mark.anyio

Type = ConnectionEventType
Status = ConnectionStatus
GLOBEX = {"id": 583232, "login": "globex-bot"}


async def test_a_check_reports_a_healthy_connection_and_marks_the_credential_used(world: World) -> None:
    created = await world.connect()
    world.clock.advance(minutes=3)

    check = await world.manager.check_connection_health(world.viewers[Role.MEMBER], created.id)

    assert (check.status, check.trigger, check.verdict) == (
        HealthStatus.HEALTHY,
        HealthCheckTrigger.MANUAL,
        Verdict.PASSED,
    )
    known = await world.manager.get(world.admin, created.id)
    assert known.health.checked_at == check.started_at
    assert (await world.events(created.id))[-1] is Type.HEALTH_CHECKED
    [credential] = await world.rows("service_credentials")
    assert credential["last_used_at"] == check.started_at


async def test_a_check_learns_new_scopes_and_a_new_end_of_the_same_token(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, scopes=["read:user"], expires_at="2126-01-01T00:00:00+00:00")

    check = await world.manager.check_connection_health(world.admin, created.id)

    known = await world.manager.get(world.admin, created.id)
    assert check.status is HealthStatus.DEGRADED
    assert known.granted_scopes == ("read:user",)
    assert known.missing_scopes
    [credential] = await world.rows("service_credentials")
    assert (credential["scopes"], credential["generation"]) == (["read:user"], 1)
    assert credential["expires_at"].year == 2126


async def test_a_refused_credential_expires_until_it_is_replaced(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, behaviour="revoked")

    check = await world.manager.check_connection_health(world.admin, created.id)
    expired = await world.manager.get(world.admin, created.id)
    assert (check.verdict, expired.status, expired.health.next_check_at) == (Verdict.EXPIRED, Status.EXPIRED, None)
    assert expired.status_reason is not None
    assert expired.status_reason.remedy is Remedy.RECONNECT

    await world.change(token, behaviour="normal")
    await world.manager.check_connection_health(world.admin, created.id)
    assert (await world.manager.get(world.admin, created.id)).status is Status.EXPIRED
    with pytest.raises(InvalidTransition, match="rotateCredentials"):
        await world.manager.update_connection_status(world.admin, created.id, Status.ACTIVE)

    rotated = await world.manager.rotate_credentials(world.admin, created.id, TokenSecret(await world.token()))
    assert rotated == await world.manager.get(world.admin, created.id)
    assert rotated.status is Status.ACTIVE
    assert rotated.health.next_check_at is not None


async def test_the_third_failure_in_a_row_is_an_error_that_heals_by_itself(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, behaviour="server_error")

    seen = []
    for _ in range(3):
        await world.manager.check_connection_health(world.admin, created.id)
        known = await world.manager.get(world.admin, created.id)
        seen.append((known.status, known.health.consecutive_failures))
    assert seen == [(Status.ACTIVE, 1), (Status.ACTIVE, 2), (Status.ERROR, 3)]

    await world.change(token, behaviour="normal")
    await world.manager.check_connection_health(world.admin, created.id)
    healed = await world.manager.get(world.admin, created.id)
    assert (healed.status, healed.health.consecutive_failures) == (Status.ACTIVE, 0)


async def test_a_refusal_that_proves_nothing_ends_no_connection_but_takes_no_new_credential(world: World) -> None:
    token = await world.token("slack")
    create = world.manager.create_connection
    created = await create(world.admin, world.organization_id, "slack", TokenSecret(token))
    await world.sandbox.put_token(token.reveal(), service="slack", behaviour="invalid_auth")

    seen = []
    for _ in range(3):
        await world.manager.check_connection_health(world.admin, created.id)
        seen.append((await world.manager.get(world.admin, created.id)).status)
    assert seen == [Status.ACTIVE, Status.ACTIVE, Status.ERROR]
    for refused in (
        create(world.admin, world.organization_id, "slack", TokenSecret(token)),
        world.manager.rotate_credentials(world.admin, created.id, TokenSecret(token)),
    ):
        with pytest.raises(ServiceFailure) as failure:
            await refused
        assert failure.value.failure_code == "CREDENTIAL_REFUSED"

    await world.sandbox.put_token(token.reveal(), service="slack")
    await world.manager.check_connection_health(world.admin, created.id)
    assert (await world.manager.get(world.admin, created.id)).status is Status.ACTIVE


async def test_a_rate_limit_says_nothing_about_the_credential_and_sets_the_next_check(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, behaviour="secondary_limited", retry_after_seconds=900)

    check = await world.manager.check_connection_health(world.admin, created.id)

    known = await world.manager.get(world.admin, created.id)
    assert (check.verdict, check.status) == (Verdict.INCONCLUSIVE, HealthStatus.DEGRADED)
    assert (known.status, known.health.consecutive_failures) == (Status.ACTIVE, 0)
    assert known.rate_limit is not None
    assert known.rate_limit.blocked_until is not None
    assert known.health.next_check_at is not None
    assert known.health.next_check_at >= known.rate_limit.blocked_until
    assert known.rate_limit.blocked_until - check.started_at >= timedelta(seconds=899)


async def test_a_credential_that_does_not_open_is_a_finding(world: World) -> None:
    created, other = await world.connect(), await world.connect()
    async with world.units.writing(world.organization_id) as unit:
        credential, foreign = [await unit.credentials.find(each.id) for each in (created, other)]
        assert credential is not None
        assert foreign is not None
        credential.sealed = foreign.sealed
        await unit.credentials.save(credential, replaces_generation=1)
        await unit.commit()

    check = await world.manager.check_connection_health(world.admin, created.id)

    assert (check.verdict, check.probes[0].code) == (Verdict.FAILED, "credential_unreadable")
    assert check.identity is None


async def test_a_token_of_another_account_is_reported_and_the_account_kept(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, account=GLOBEX)

    check = await world.manager.check_connection_health(world.admin, created.id)

    known = await world.manager.get(world.admin, created.id)
    assert check.verdict is Verdict.FAILED
    assert known.external_account == created.external_account


async def test_a_paused_connection_is_checked_on_request_and_stays_paused(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.manager.update_connection_status(world.admin, created.id, Status.INACTIVE)
    await world.change(token, behaviour="revoked")

    await world.manager.check_connection_health(world.admin, created.id)

    known = await world.manager.get(world.admin, created.id)
    assert (known.status, known.health.status, known.health.next_check_at) == (
        Status.INACTIVE,
        HealthStatus.UNHEALTHY,
        None,
    )


async def asked(world: World, token: Secret, calls: int) -> None:
    """Wait until the service has been asked that often with this token."""
    async with asyncio.timeout(5):
        while await world.calls(token) < calls:
            pass  # each turn is a call over HTTP, in which everything else goes on


async def test_while_the_service_is_asked_others_can_write(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, behaviour="slow", delay_seconds=4.0)

    checking = asyncio.create_task(world.manager.check_connection_health(world.admin, created.id))
    await asked(world, token, 2)
    async with asyncio.timeout(3.5):
        await world.manager.update_connection(world.admin, created.id, name="Meanwhile")
    assert not checking.done()
    await checking

    known = await world.manager.get(world.admin, created.id)
    assert (known.name, known.health.status) == ("Meanwhile", HealthStatus.HEALTHY)


async def test_what_was_found_of_a_credential_that_is_gone_is_not_held_against_the_new_one(world: World) -> None:
    old, new = await world.token(), await world.token()
    created = await world.connect(old)
    # Counted against the connection, this answer, which comes after the rotation, would be another account's.
    await world.change(old, behaviour="slow", delay_seconds=0.3, account=GLOBEX)

    checking = asyncio.create_task(world.manager.check_connection_health(world.admin, created.id))
    await asked(world, old, 2)
    await world.manager.rotate_credentials(world.admin, created.id, TokenSecret(new))
    check = await checking

    known = await world.manager.get(world.admin, created.id)
    assert (check.verdict, known.status, known.health.status) == (Verdict.PASSED, Status.ACTIVE, HealthStatus.HEALTHY)
    assert await world.calls(new) == 2  # by the rotation, and by the check that was begun anew
    assert {row["verdict"] for row in await world.rows("health_checks")} == {Verdict.PASSED}


async def test_a_connection_deleted_during_its_check_is_not_found(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, behaviour="slow", delay_seconds=0.2)

    checking = asyncio.create_task(world.manager.check_connection_health(world.admin, created.id))
    await asked(world, token, 2)
    await world.manager.delete_connection(world.admin, created.id)

    with pytest.raises(NotFound, match="There is no connection with this id"):
        await checking
    assert len(await world.rows("health_checks")) == 1


async def test_checks_and_edits_at_once_never_conflict(world: World) -> None:
    created = await world.connect()

    checks, _ = await asyncio.gather(
        asyncio.gather(*(world.manager.check_connection_health(world.admin, created.id) for _ in range(4))),
        asyncio.gather(*(world.manager.update_connection(world.admin, created.id, name=f"N{n}") for n in range(4))),
    )

    # Who asks while a check runs, gets what that one finds.
    assert len(await world.rows("health_checks")) == 1 + len({check.id for check in checks}) <= 5
    # Findings leave the version: of the eight writers, only the four edits raised it.
    assert (await world.manager.get(world.admin, created.id)).version == created.version + 4


async def test_a_new_token_takes_the_old_ones_place(world: World) -> None:
    old, new = await world.token(), await world.token(scopes=None)
    created = await world.connect(old)

    rotated = await world.manager.rotate_credentials(
        world.admin, created.id, TokenSecret(new), expected_version=created.version
    )

    assert rotated == await world.manager.get(world.admin, created.id)
    assert (rotated.version, rotated.granted_scopes) == (created.version + 1, ())
    async with world.units.reading(world.organization_id) as unit:
        credential = await unit.credentials.find(created.id)
    assert credential is not None
    assert CredentialVault(world.encryption).open(credential) == TokenSecret(new)
    assert (credential.generation, credential.fingerprint, credential.scopes) == (2, fingerprint(new), None)
    assert (await world.events(created.id))[-2:] == [Type.CREDENTIALS_ROTATED, Type.HEALTH_CHECKED]


async def test_a_token_of_another_account_is_not_taken(world: World) -> None:
    created = await world.connect()

    with pytest.raises(AccountMismatch) as refusal:
        await world.manager.rotate_credentials(world.admin, created.id, TokenSecret(await world.token(account=GLOBEX)))

    assert (refusal.value.expected, refusal.value.actual) == ("acme-bot", "globex-bot")
    assert await world.manager.get(world.admin, created.id) == created
    assert (await world.rows("service_credentials"))[0]["generation"] == 1


async def test_a_token_that_the_service_refuses_is_not_taken(world: World) -> None:
    created = await world.connect()

    with pytest.raises(ServiceFailure) as failure:
        await world.manager.rotate_credentials(
            world.admin, created.id, TokenSecret(await world.token(behaviour="revoked"))
        )

    assert failure.value.failure_code == "CREDENTIAL_REFUSED"
    assert await world.manager.get(world.admin, created.id) == created


async def test_a_token_cannot_be_refreshed(world: World) -> None:
    created = await world.connect()

    with pytest.raises(InvalidInput, match="can't be refreshed") as refusal:
        await world.manager.rotate_credentials(world.admin, created.id, None)

    assert refusal.value.field == ("input", "credential")


async def test_a_paused_connection_stays_paused_with_its_new_token(world: World) -> None:
    created = await world.connect()
    await world.manager.update_connection_status(world.admin, created.id, Status.INACTIVE)

    rotated = await world.manager.rotate_credentials(world.admin, created.id, TokenSecret(await world.token()))

    assert (rotated.status, rotated.health.next_check_at) == (Status.INACTIVE, None)
