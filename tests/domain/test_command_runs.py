"""Running commands: what is asked of the service, what is kept of it, and what it tells of the connection."""

import asyncio
import logging
from contextlib import aclosing
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete

from domain.address_guard import OutboundAllow
from domain.call_budgets import CallBudgets, budget_key
from domain.command_admission import CommandAdmission
from domain.command_runs import CommandRuns
from domain.credential_refresh import CredentialRefresher
from domain.credential_secrets import TokenSecret
from domain.credential_vault import CredentialVault
from domain.entities.command_run import CommandRunStatus
from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import SCHEDULER, ConnectionEventType
from domain.entities.health import Remedy
from domain.entities.identifiers import new_id
from domain.entities.service_incident import ServiceIncident
from domain.entities.user import Role
from domain.errors import CommandFailure, Forbidden, IdempotencyKeyReused, InvalidArguments, InvalidInput, NotFound
from domain.http import HttpClient
from domain.repository_sync import RepositorySync
from domain.retention import Retention
from domain.services.catalogue import ServiceCatalogue
from domain.services.service_fault import FaultKind
from domain.task_outcome import Again, Ended
from persistence.tables import service_credentials
from tests.domain.commanding import ISSUE, SETTLING, Place, a_place, settle
from tests.domain.oauth_links import OAuthLinks
from tests.domain.world import World
from tests.every_row import every_row
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio

SUCCEEDED, FAILED, UNKNOWN = CommandRunStatus.SUCCEEDED, CommandRunStatus.FAILED, CommandRunStatus.UNKNOWN


async def test_a_run_is_kept_with_what_came_of_it_its_event_and_its_audit_record(world: World) -> None:
    place = await a_place(world)
    run = await place.open_issue()
    assert (run.status, run.attempts, run.error, run.lease) == (SUCCEEDED, 1, None, None)
    assert run.result == {"number": 2}
    assert run.url is not None
    assert run.url.endswith(f"/{place.repository}/issues/2")
    assert run.arguments == {"repository": place.repository, **ISSUE}
    assert await place.issues() == 1
    (event,) = [row for row in await world.rows("connection_events") if row["type"] == "COMMAND_RUN"]
    assert event["connection_id"] == place.connection.id
    assert event["data"] == {
        "runId": f"run_{run.id}",
        "command": "github.create_issue",
        "status": "SUCCEEDED",
        "durationMs": run.duration_ms,
        "code": None,
        "url": run.url,
    }
    (record,) = [row for row in await world.rows("audit_records") if row["action"] == "CONNECTION_COMMAND_RUN"]
    assert (record["actor_user_id"], record["data"]["runId"]) == (place.member.user_id, f"run_{run.id}")
    assert (await world.known(place.connection.id)).version == place.connection.version


async def test_the_same_call_with_the_same_key_runs_once_and_another_one_is_refused(world: World) -> None:
    place = await a_place(world)
    first = await place.open_issue(idempotency_key="one")
    again = await place.open_issue(idempotency_key="one")
    assert (again.id, again.result) == (first.id, first.result)
    with pytest.raises(IdempotencyKeyReused):
        await place.run(
            "github.create_issue", {"repository": place.repository, "title": "Another"}, idempotency_key="one"
        )
    assert (await place.open_issue()).id != first.id  # without a key each is a first one
    assert await place.issues() == 2


async def test_who_calls_with_the_same_key_meanwhile_gets_the_same_run(world: World) -> None:
    place = await a_place(world)
    await place.behave("slow", delay_seconds=0.5)
    runs = await asyncio.gather(*(place.open_issue(idempotency_key="at once") for _ in range(6)))
    assert {run.id for run in runs} == {runs[0].id}
    assert {run.status for run in runs} == {SUCCEEDED}
    assert await place.issues() == 1


async def test_who_does_not_want_to_wait_finds_the_run_later(world: World) -> None:
    place = await a_place(world)
    await place.behave("slow", delay_seconds=1.5)
    run = await place.open_issue(wait_seconds=1, idempotency_key="impatient")
    assert run.status is CommandRunStatus.RUNNING
    assert (await place.open_issue(wait_seconds=8, idempotency_key="impatient")).status is SUCCEEDED
    assert await place.issues() == 1


async def test_a_run_that_is_queued_is_made_by_the_runner(world: World) -> None:
    place = await a_place(world)
    run = await place.open_issue(wait_seconds=0)
    assert (run.status, run.attempts, await place.issues()) == (CommandRunStatus.QUEUED, 0, 0)
    assert await place.take_turn(run.id) == Ended()
    assert (await place.run_by_id(run.id)).status is SUCCEEDED
    assert await place.take_turn(run.id) == Ended()
    assert await place.issues() == 1


@pytest.mark.parametrize("behaviour", ["done_then_cut", "done_then_error"])
async def test_what_may_have_been_done_is_unknown_and_never_repeated(world: World, behaviour: str) -> None:
    place = await a_place(world)
    await place.behave(behaviour)
    run = await place.open_issue(idempotency_key="broken")
    assert (run.status, run.attempts, run.url) == (UNKNOWN, 1, None)
    assert run.error is not None
    await place.behave()
    assert (await place.open_issue(idempotency_key="broken")).id == run.id
    assert await place.issues() == 1


async def test_what_is_repeatable_is_tried_again_and_what_is_not_is_not(world: World) -> None:
    place = await a_place(world)
    await world.sandbox.github_repository(place.repository, files={"README.md": "Hello"})
    await place.behave("server_error", status=502, behaviour_calls=2)
    calls = await world.calls(place.token)
    run = await place.read_file()
    assert (run.status, run.error) == (SUCCEEDED, None)
    assert await world.calls(place.token) > calls + 1
    await place.behave("rate_limited", retry_after_seconds=600)
    run = await place.open_issue()
    assert (run.status, run.attempts) == (FAILED, 1)
    assert run.error is not None
    assert (run.error.kind, run.error.remedy) == (FaultKind.RATE_LIMITED, Remedy.WAIT)


async def test_a_limit_that_is_known_keeps_the_next_run_from_being_made(world: World) -> None:
    place = await a_place(world)
    await place.behave("secondary_limited", retry_after_seconds=600)
    await place.open_issue()
    calls = await world.calls(place.token)
    with pytest.raises(CommandFailure) as refused:
        await place.open_issue(idempotency_key="later")
    assert refused.value.failure_code == "SERVICE_RATE_LIMITED"
    assert 500 < (refused.value.retry_after_seconds or 0) <= 600
    assert await world.calls(place.token) == calls
    assert len(await place.runs()) == 1  # and the key is still free
    world.clock.advance(seconds=601)
    await place.behave()
    assert (await place.open_issue(idempotency_key="later")).status is SUCCEEDED


async def test_a_refused_credential_moves_health_and_status_without_a_check(world: World) -> None:
    place = await a_place(world)
    await place.behave("expired")
    run = await place.open_issue()
    assert run.status is FAILED
    assert run.error is not None
    assert run.error.kind is FaultKind.CREDENTIAL_REFUSED
    assert (await world.known(place.connection.id)).status is ConnectionStatus.EXPIRED
    types = await world.events(place.connection.id)
    assert types[-4:] == [
        ConnectionEventType.HEALTH_CHECKED,
        ConnectionEventType.HEALTH_CHANGED,
        ConnectionEventType.STATUS_CHANGED,
        ConnectionEventType.COMMAND_RUN,
    ]
    with pytest.raises(CommandFailure) as refused:
        await place.open_issue()
    assert (refused.value.failure_code, refused.value.remedy) == ("CONNECTION_NOT_IN_USE", Remedy.RECONNECT)


async def test_a_credential_without_the_scope_is_told_before_the_service_is_asked(world: World) -> None:
    place = await a_place(world, scopes=["read:org"])
    calls = await world.calls(place.token)
    with pytest.raises(CommandFailure) as refused:
        await place.open_issue()
    assert (refused.value.failure_code, refused.value.remedy) == ("SCOPE_MISSING", Remedy.GRANT_SCOPES)
    assert "public_repo" in refused.value.message
    assert await world.calls(place.token) == calls
    assert await place.runs() == []


async def test_a_paused_connection_runs_nothing_and_a_queued_run_fails_by_that(world: World) -> None:
    place = await a_place(world)
    queued = await place.open_issue(wait_seconds=0)
    await world.manager.update_connection_status(world.admin, place.connection.id, ConnectionStatus.INACTIVE)
    with pytest.raises(CommandFailure):
        await place.open_issue()
    assert await place.take_turn(queued.id) == Ended()
    run = await place.run_by_id(queued.id)
    assert run.status is FAILED
    assert run.error is not None
    assert run.error.code == "connection_not_in_use"
    assert await place.issues() == 0


@pytest.mark.parametrize("taken", ["membership", "role", "key", "key by its end"])
async def test_a_queued_run_fails_where_whoever_asked_may_no_longer_when_its_turn_comes(
    world: World, taken: str
) -> None:
    place, owner = await a_place(world), world.viewers[Role.OWNER]
    asker = await world.join(world.organization_id, Role.MEMBER)
    if taken.startswith("key"):
        ends = world.clock() + timedelta(hours=1)
        made = await world.users.api_keys.create_api_key(
            asker, world.organization_id, "bot", Role.MEMBER, expires_at=ends
        )
        assert made.token is not None
        asker = await world.users.authenticate(made.token.reveal())
    allowed, refused = [await place.open_issue(viewer=asker, wait_seconds=0) for _ in range(2)]
    assert await place.take_turn(allowed.id) == Ended()
    assert (await place.run_by_id(allowed.id)).status is SUCCEEDED
    match taken:
        case "membership":
            await world.users.members.remove_member(owner, world.organization_id, asker.user_id)
        case "role":
            await world.users.members.update_member(owner, world.organization_id, asker.user_id, Role.VIEWER)
        case "key":
            assert asker.api_key_id is not None
            await world.users.api_keys.revoke_api_key(owner, asker.api_key_id)
        case _:
            world.clock.advance(hours=2)
    assert await place.take_turn(refused.id) == Ended()
    run = await place.run_by_id(refused.id)
    assert run.error is not None
    assert (run.status, run.error.code) == (FAILED, "asker_not_allowed")
    assert await place.issues() == 1


async def test_a_credential_that_has_ended_for_good_is_told_before_the_service_is_asked(world: World) -> None:
    place = await a_place(world)
    async with world.units.writing(world.organization_id) as unit:
        credential = await unit.credentials.find(place.connection.id)
        assert credential is not None
        credential.expires_at = world.clock()
        await unit.credentials.save(credential, replaces_generation=credential.generation)
        await unit.commit()
    calls = await world.calls(place.token)
    with pytest.raises(CommandFailure) as refused:
        await place.open_issue()
    assert (refused.value.failure_code, refused.value.remedy) == ("CREDENTIAL_REFUSED", Remedy.RECONNECT)
    assert await world.calls(place.token) == calls
    assert await place.runs() == []


async def test_a_queued_run_waits_for_the_quota_and_not_for_ever(world: World) -> None:
    place = await a_place(world)
    queued = await place.open_issue(wait_seconds=0)
    await place.behave("secondary_limited", retry_after_seconds=3_000)
    await place.open_issue()
    again = await place.take_turn(queued.id)
    assert isinstance(again, Again)
    assert again.at == queued.created_at + timedelta(minutes=15)  # not only when the service takes calls
    world.clock.advance(minutes=16)
    assert await place.take_turn(queued.id) == Ended()
    assert (await place.run_by_id(queued.id)).status is FAILED


async def test_a_run_through_a_connection_that_is_deleted_meanwhile_ends_and_is_recorded(world: World) -> None:
    place = await a_place(world)
    queued = await place.open_issue(wait_seconds=0)
    await world.manager.delete_connection(world.admin, place.connection.id)
    assert await place.take_turn(queued.id) == Ended()
    run = await place.run_by_id(queued.id)
    assert run.status is FAILED
    assert run.error is not None
    assert run.error.code == "connection_deleted"
    assert (await world.events(place.connection.id))[-1] is ConnectionEventType.DELETED
    records = [row for row in await world.rows("audit_records") if row["action"] == "CONNECTION_COMMAND_RUN"]
    assert [row["data"]["status"] for row in records] == ["FAILED"]
    with pytest.raises(NotFound):
        await place.open_issue()


@pytest.mark.parametrize("ends", ["before the call", "by the call"])
async def test_what_somebody_who_never_told_may_have_done_stays_unknown_where_it_fails_later(
    world: World, ends: str
) -> None:
    token = await world.token("slack", scopes=["reactions:write"])
    connection = await world.manager.create_connection(
        world.admin, world.organization_id, "slack", TokenSecret(token), name="Chat"
    )
    place = Place(world, connection, token, "")
    reaction = {"channel": "C0ACME000", "message": "1764145000.000100", "emoji": "eyes"}
    queued = await place.run("slack.add_reaction", reaction, wait_seconds=0)
    async with world.units.writing(world.organization_id) as unit:  # as a process that is killed in the call leaves it
        run = await unit.command_runs.get(queued.id)
        run.begin(uuid4(), world.clock(), world.clock() + timedelta(minutes=1))
        await unit.command_runs.save(run)
        await unit.commit()
    world.clock.advance(minutes=2)
    await settle(world)
    assert (await place.run_by_id(queued.id)).status is CommandRunStatus.QUEUED
    if ends == "before the call":
        await world.manager.update_connection_status(world.admin, connection.id, ConnectionStatus.INACTIVE)
    else:
        await world.sandbox.put_token(token.reveal(), service="slack", behaviour="expired")
    assert await place.take_turn(queued.id) == Ended()
    assert (await place.run_by_id(queued.id)).status is UNKNOWN


async def test_a_run_whose_connection_goes_while_it_is_read_does_not_wait_for_ever(world: World) -> None:
    place = await a_place(world)
    queued = await place.open_issue(wait_seconds=0)
    async with every_row(world.database) as connection:  # as a deletion between two reads leaves it
        await connection.execute(
            delete(service_credentials).where(service_credentials.c.connection_id == place.connection.id)
        )
    assert await place.take_turn(queued.id) == Ended()
    assert (await place.run_by_id(queued.id)).status is FAILED


_NEEDS = {
    "github.list_repositories": Role.VIEWER,
    "github.create_issue": Role.MEMBER,
    "github.dispatch_workflow": Role.ADMIN,
}


@pytest.mark.parametrize("command", _NEEDS)
async def test_each_role_runs_what_it_reaches_for(world: World, command: str) -> None:
    place = await a_place(world)
    arguments: dict[str, Any] = {
        "github.list_repositories": {},
        "github.create_issue": {"repository": place.repository, **ISSUE},
        "github.dispatch_workflow": {"repository": place.repository, "workflow": "ci.yml", "ref": "main"},
    }[command]
    for role, viewer in world.viewers.items():
        if role.covers(_NEEDS[command]):
            assert (await place.run(command, arguments, viewer=viewer)).finished
        else:
            with pytest.raises(Forbidden, match=_NEEDS[command]):
                await place.run(command, arguments, viewer=viewer)


async def test_arguments_that_are_not_good_are_told_each_with_its_path(world: World) -> None:
    place = await a_place(world)
    with pytest.raises(InvalidArguments) as invalid:
        await place.run("github.create_issue", {"title": "", "colour": "red", "labels": ["ok", 7]})
    paths = [problem.field for problem in invalid.value.problems]
    assert ("input", "arguments", "colour") in paths
    assert ("input", "arguments", "title") in paths
    assert ("input", "arguments", "repository") in paths
    with pytest.raises(InvalidArguments):
        await place.run("github.create_issue", ["not", "an", "object"])
    with pytest.raises(InvalidInput, match="no command"):
        await place.run("github.make_coffee", {})
    with pytest.raises(InvalidInput, match="command of Slack"):
        await place.run("slack.post_message", {"channel": "C0ACME000", "text": "Hi"})
    assert await place.runs() == []


async def test_what_the_service_objects_to_is_named(world: World) -> None:
    place = await a_place(world)
    run = await place.run("github.create_issue", {"repository": f"{place.login}/nowhere", **ISSUE})
    assert run.status is FAILED
    assert run.error is not None
    assert run.error.kind is FaultKind.REQUEST_REFUSED
    assert (await world.known(place.connection.id)).status is ConnectionStatus.ACTIVE


async def test_strangers_and_viewers_of_nothing_are_told_that_there_is_no_connection(world: World) -> None:
    place = await a_place(world)
    async with world.units.writing_everywhere() as unit:
        organizations = unit.organizations
        assert await organizations.find_by_slug("acme") is not None
    other = await world.users.issue_api_key("globex", "stranger@example.com", Role.OWNER)
    stranger = await world.users.authenticate(other.reveal())
    with pytest.raises(NotFound):
        await place.open_issue(viewer=stranger)


async def test_who_called_tells_after_all_what_came_of_a_run_that_was_given_up(world: World) -> None:
    place = await a_place(world)
    await place.behave("slow", delay_seconds=1.5)
    run = await place.open_issue(wait_seconds=1)
    world.clock.advance(minutes=5)
    await settle(world)
    assert (await place.run_by_id(run.id)).status is UNKNOWN

    async def known() -> bool:
        return (await place.run_by_id(run.id)).status is SUCCEEDED

    await eventually(known)
    told = [row["data"]["status"] for row in await world.rows("connection_events") if row["type"] == "COMMAND_RUN"]
    assert sorted(told) == ["SUCCEEDED", "UNKNOWN"]


async def test_a_repository_that_was_chosen_becomes_the_argument(world: World) -> None:
    place = await a_place(world)
    sync = RepositorySync(world.units, world.catalogue, world.refresher, world.clock)
    await sync.run(world.organization_id, place.connection.id, SCHEDULER, since=world.clock(), seconds=5.0)
    (row,) = [row for row in await world.rows("repositories") if row["connection_id"] == place.connection.id]
    run = await place.run("github.create_issue", ISSUE, repository_id=row["id"])
    assert run.arguments == {"repository": place.repository, **ISSUE}
    with pytest.raises(InvalidInput, match="another repository"):
        await place.run("github.create_issue", {"repository": "acme/other", **ISSUE}, repository_id=row["id"])
    with pytest.raises(InvalidInput, match="isn't about a repository"):
        await place.run("github.list_repositories", {}, repository_id=row["id"])
    other = await a_place(world)
    with pytest.raises(NotFound):
        await other.run("github.create_issue", ISSUE, repository_id=row["id"])


@pytest.mark.parametrize("ends", ["by the clock", "as the service says"])
async def test_a_token_that_has_ended_is_refreshed_and_the_command_run_with_the_new_one(
    world: World, ends: str
) -> None:
    vault = CredentialVault(world.encryption)
    links = OAuthLinks(world.sandbox, world.units, vault, world.clock)
    await links.register()
    async with aclosing(HttpClient(allow=OutboundAllow.parse("127.0.0.1"))) as http:
        github = links.service(http)
        catalogue = ServiceCatalogue([github])
        budgets = CallBudgets(world.units, catalogue, world.clock)
        refresher = CredentialRefresher(world.units, catalogue, vault, world.clock, board=world.board, budgets=budgets)
        admission = CommandAdmission(catalogue, budgets, world.board, world.clock)
        commands = CommandRuns(world.units, admission, refresher, vault, world.clock)
        by_clock = ends == "by the clock"
        ends_in = timedelta(seconds=-1) if by_clock else timedelta(hours=1)
        connection = await links.link(github, world.organization_id, ends_in=ends_in)
        old = (await links.secret(connection)).access_token
        if not by_clock:
            await world.sandbox.put_token(old.reveal(), service="github", behaviour="expired")
        run = await commands.run(world.viewers[Role.VIEWER], connection.id, "github.list_repositories", {})
        assert run.status is SUCCEEDED
        assert (await links.credential(connection)).generation == 2
        assert await world.calls(old) == (0 if by_clock else 1)
        assert (await links.stored(connection)).status is ConnectionStatus.ACTIVE
        await refresher.aclose()


async def test_no_secret_is_kept_told_or_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    place = await a_place(world)
    with caplog.at_level(logging.DEBUG):
        for behaviour in ("normal", "done_then_cut", "garbage_html", "expired"):
            await place.behave(behaviour)
            await place.run("github.create_issue", {"repository": place.repository, "title": "A word in confidence"})
    token = place.token.reveal()
    kept = [await world.rows(table) for table in ("command_runs", "connection_events", "audit_records", "tasks")]
    assert len(kept[0]) == 4
    assert token not in repr(kept)
    ours = [record for record in caplog.records if record.name.partition(".")[0] in ("domain", "persistence")]
    logged = "\n".join(record.getMessage() for record in ours)
    assert "github.create_issue" in logged
    assert token not in logged
    assert "A word in confidence" not in logged
    assert "A word in confidence" not in repr(kept[1:])


async def test_runs_are_forgotten_when_their_time_is_over_and_with_a_deleted_connection(world: World) -> None:
    place, other = await a_place(world), await a_place(world)
    retention = Retention(world.units, world.clock, timedelta(days=400), timedelta(days=90))
    await place.open_issue()
    waiting = await place.open_issue(wait_seconds=0)
    await other.open_issue()
    await world.manager.delete_connection(world.admin, other.connection.id)
    world.clock.advance(days=31)
    await retention.forget_deleted_connections(SETTLING)
    assert (len(await other.runs()), len(await place.runs())) == (0, 2)
    world.clock.advance(days=60)
    await retention.forget_command_runs(SETTLING)
    assert [row["id"] for row in await place.runs()] == [waiting.id]  # what isn't over is kept


async def test_nobody_calls_a_service_that_is_down_or_an_account_that_is_kept_away(world: World) -> None:
    place = await a_place(world)
    account = place.connection.external_account
    assert account is not None
    calls, now = await world.calls(place.token), world.clock()
    elsewhere = CallBudgets(world.units, world.catalogue, world.clock)  # as another process has them
    assert await elsewhere.take(budget_key(world.catalogue.get_connected("github"), account)) is None
    async with world.units.writing_everywhere() as unit:
        await unit.call_budgets.block("github", account.id, now + timedelta(minutes=5))
        await unit.commit()
    with pytest.raises(CommandFailure) as refused:
        await place.open_issue()
    assert refused.value.failure_code == "SERVICE_RATE_LIMITED"
    assert 250 < (refused.value.retry_after_seconds or 0) <= 300
    incident = ServiceIncident(new_id(), "github", "here", "github_unreachable", "No answer.", now, now)
    async with world.units.writing_everywhere() as unit:
        assert await unit.service_incidents.begin(incident)
        await unit.commit()
    await world.board.refresh()
    with pytest.raises(CommandFailure) as refused:
        await place.open_issue()
    assert (refused.value.failure_code, refused.value.remedy) == ("SERVICE_UNREACHABLE", Remedy.WAIT)
    assert await world.calls(place.token) == calls
    assert await place.runs() == []


async def test_who_closes_waits_for_the_calls_that_have_begun(world: World) -> None:
    place = await a_place(world)
    await place.behave("slow", delay_seconds=1.5)
    run = await place.open_issue(wait_seconds=1)
    assert run.status is CommandRunStatus.RUNNING
    await world.commands.aclose()
    assert (await place.run_by_id(run.id)).status is SUCCEEDED
