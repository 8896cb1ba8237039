"""What ServiceConnectionManager does to connections, on both databases, against the sandbox over HTTP."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import update

from domain.connection_deletion import Deletion, SecretFate
from domain.credential_secrets import TokenSecret
from domain.credential_vault import CredentialVault
from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import ConnectionEventType
from domain.entities.health import HealthCheckTrigger, HealthStatus, Json, Remedy, Verdict
from domain.errors import (
    InvalidInput,
    InvalidTransition,
    NameTaken,
    NotFound,
    ServiceFailure,
    VersionConflict,
)
from domain.secret import Secret, fingerprint
from domain.unset import UNSET
from persistence.tables import service_connections
from tests.domain.world import World
from tests.every_row import every_row

pytestmark = pytest.mark.anyio

Type = ConnectionEventType
Status = ConnectionStatus


async def test_a_connection_takes_the_accounts_name_and_is_active_at_once(world: World) -> None:
    created = await world.connect(labels={"team": "platform"})

    stored = await world.manager.get(world.admin, created.id)
    assert stored == created
    assert (stored.name, stored.status, stored.version) == ("acme-bot", Status.ACTIVE, 1)
    assert stored.external_account is not None
    assert (stored.external_account.id, stored.external_account.name) == ("583231", "acme-bot")
    assert (stored.labels, stored.settings, stored.created_by) == ({"team": "platform"}, {}, world.admin.user_id)
    assert stored.granted_scopes == ("repo", "read:org", "user")
    assert stored.health.status is HealthStatus.HEALTHY
    assert stored.health.next_check_at is not None
    assert stored.created_at <= stored.health.checked_at <= stored.updated_at  # type: ignore[operator] # it was checked
    assert await world.events(created.id) == [
        Type.CREATED,
        Type.HEALTH_CHECKED,
        Type.HEALTH_CHANGED,
        Type.STATUS_CHANGED,
    ]
    [check] = await world.rows("health_checks")
    assert (check["trigger"], check["verdict"]) == (HealthCheckTrigger.CONNECT, Verdict.PASSED)


async def test_slack_connects_as_well(world: World) -> None:
    created = await world.manager.create_connection(
        world.admin, world.organization_id, "slack", TokenSecret(await world.token("slack")), name="Chat"
    )

    assert (created.name, created.status, created.service) == ("Chat", Status.ACTIVE, "slack")


async def test_the_credential_is_kept_sealed_and_the_token_nowhere(world: World) -> None:
    token = await world.token(expires_at="2126-01-01T00:00:00+00:00")
    await world.connect(token)

    async with world.units.reading(world.organization_id) as unit:
        [connection] = await unit.connections.list()
        credential = await unit.credentials.find(connection.id)
    assert credential is not None
    assert CredentialVault(world.encryption).open(credential) == TokenSecret(token)
    assert (credential.fingerprint, credential.generation) == (fingerprint(token), 1)
    assert credential.scopes == ("repo", "read:org", "user")
    assert credential.expires_at is not None
    for table in ("service_connections", "service_credentials", "health_checks", "connection_events"):
        rows = await world.rows(table)
        assert rows
        assert token.reveal() not in repr(rows)


async def test_the_accounts_name_gets_the_smallest_number_that_is_free(world: World) -> None:
    token = await world.token()
    first, second, third = [await world.connect(token) for _ in range(3)]
    assert [first.name, second.name, third.name] == ["acme-bot", "acme-bot 2", "acme-bot 3"]

    await world.manager.delete_connection(world.admin, second.id)
    assert (await world.connect(token)).name == "acme-bot 2"


async def test_connections_made_at_once_without_a_name_each_get_one(world: World) -> None:
    token = await world.token()

    made = await asyncio.gather(*(world.connect(token) for _ in range(4)))

    assert {each.name for each in made} == {"acme-bot", "acme-bot 2", "acme-bot 3", "acme-bot 4"}


async def test_a_name_that_is_another_connections_is_refused_in_any_case_of_letters(world: World) -> None:
    await world.connect(name="Straße")

    with pytest.raises(NameTaken) as refusal:
        await world.connect(name=" STRASSE ")

    assert refusal.value.field == ("input", "name")
    assert len(await world.rows("service_connections")) == 1
    assert len(await world.rows("health_checks")) == 1


@pytest.mark.parametrize(
    ("behaviour", "code", "remedy", "retry_after_seconds", "field"),
    [
        ({"behaviour": "revoked"}, "CREDENTIAL_REFUSED", Remedy.RECONNECT, None, ("input", "credential", "token")),
        ({"behaviour": "server_error"}, "SERVICE_UNREACHABLE", Remedy.WAIT, 30, ()),
        ({"behaviour": "garbage_html"}, "SERVICE_UNREACHABLE", Remedy.WAIT, 30, ()),
        (
            {"behaviour": "secondary_limited", "retry_after_seconds": 77},
            "SERVICE_RATE_LIMITED",
            Remedy.WAIT,
            77,
            (),
        ),
        ({"behaviour": "sso_required"}, "SERVICE_REFUSED", Remedy.CONTACT_ADMIN, None, ()),
        ({"behaviour": "missing_scope"}, "SERVICE_REFUSED", Remedy.GRANT_SCOPES, None, ()),
    ],
)
async def test_where_the_service_does_not_say_whose_the_token_is_nothing_is_stored(
    world: World,
    behaviour: dict[str, Any],
    code: str,
    remedy: Remedy,
    retry_after_seconds: int | None,
    field: Sequence[str],
) -> None:
    token = await world.token(**behaviour)

    with pytest.raises(ServiceFailure) as failure:
        await world.connect(token)

    told = failure.value
    assert (told.failure_code, told.service, told.remedy) == (code, "github", remedy)
    assert (told.retry_after_seconds, told.field) == (retry_after_seconds, field)
    assert token.reveal() not in told.message
    for table in ("service_connections", "service_credentials", "health_checks", "connection_events"):
        assert await world.rows(table) == []


async def test_a_revoked_grant_is_a_refused_credential(world: World) -> None:
    token = await world.token("slack", behaviour="revoked")

    with pytest.raises(ServiceFailure) as failure:
        await world.manager.create_connection(world.admin, world.organization_id, "slack", TokenSecret(token))

    assert (failure.value.failure_code, failure.value.remedy) == ("CREDENTIAL_REFUSED", Remedy.RECONNECT)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"service": "gitlab"}, ("input", "service")),
        ({"name": "  "}, ("input", "name")),
        ({"name": "x" * 101}, ("input", "name")),
        ({"settings": ["requiredScopes"]}, ("input", "settings")),
        ({"settings": {"requiredScope": []}}, ("input", "settings", "requiredScope")),
        ({"settings": {"requiredScopes": ["repo", "fly"]}}, ("input", "settings", "requiredScopes", "1")),
        ({"labels": "platform"}, ("input", "labels")),
        ({"labels": {"team": 7}}, ("input", "labels", "team")),
        ({"idempotency_key": ""}, ("input", "idempotencyKey")),
        ({"idempotency_key": "k" * 256}, ("input", "idempotencyKey")),
    ],
)
async def test_bad_input_is_refused_with_its_place_before_the_service_is_asked(
    world: World, arguments: dict[str, Any], field: Sequence[str]
) -> None:
    token = await world.token()
    service = arguments.get("service", "github")
    others = {name: value for name, value in arguments.items() if name != "service"}

    with pytest.raises(InvalidInput) as refusal:
        await world.manager.create_connection(world.admin, world.organization_id, service, TokenSecret(token), **others)

    assert refusal.value.field == field
    assert await world.calls(token) == 0


async def test_an_update_changes_what_is_given_and_says_what_that_was(world: World) -> None:
    created = await world.connect(name="Code", labels={"team": "platform"})

    updated = await world.manager.update_connection(world.admin, created.id, name=" Ünïcode\u0301 ")

    assert (updated.name, updated.labels, updated.version) == ("Ünïcodé", {"team": "platform"}, 2)
    assert await world.manager.get(world.admin, created.id) == updated
    assert (await world.events(created.id))[-1] is Type.UPDATED
    assert (await world.rows("connection_events"))[-1]["data"] == {"changed": ["name"]}

    emptied = await world.manager.update_connection(world.admin, created.id, labels=None)
    assert (emptied.name, emptied.labels) == ("Ünïcodé", {})


async def test_new_settings_tell_anew_which_scopes_are_missing(world: World) -> None:
    created = await world.connect(settings={"requiredScopes": ["repo"]})
    assert (created.required_scopes, created.missing_scopes) == (("repo",), ())

    updated = await world.manager.update_connection(
        world.admin, created.id, settings={"requiredScopes": ["repo", "workflow"]}
    )

    assert (updated.required_scopes, updated.missing_scopes) == (("repo", "workflow"), ("workflow",))


async def test_of_a_token_that_tells_no_scopes_none_is_missing(world: World) -> None:
    created = await world.connect(await world.token(scopes=None), settings={"requiredScopes": ["repo"]})

    updated = await world.manager.update_connection(world.admin, created.id, settings={"requiredScopes": ["workflow"]})

    assert (updated.required_scopes, updated.granted_scopes, updated.missing_scopes) == (("workflow",), (), ())


@pytest.mark.parametrize("same", [{}, {"name": "Code"}, {"labels": {"a": "1"}}, {"settings": {}}, {"name": UNSET}])
async def test_an_update_that_changes_nothing_leaves_no_trace(world: World, same: dict[str, Any]) -> None:
    created = await world.connect(name="Code", labels={"a": "1"})
    before = await world.events(created.id)

    assert await world.manager.update_connection(world.admin, created.id, **same) == created
    assert await world.events(created.id) == before


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"name": None}, ("input", "name")),
        ({"labels": {"": "x"}}, ("input", "labels")),
        ({"settings": {"expiryWarningDays": 0}}, ("input", "settings", "expiryWarningDays")),
    ],
)
async def test_a_bad_update_names_its_place_and_changes_nothing(
    world: World, arguments: dict[str, Any], field: Sequence[str]
) -> None:
    created = await world.connect()

    with pytest.raises(InvalidInput) as refusal:
        await world.manager.update_connection(world.admin, created.id, **({"name": "New"} | arguments))

    assert refusal.value.field == field
    assert await world.manager.get(world.admin, created.id) == created


async def test_renaming_to_another_connections_name_is_refused(world: World) -> None:
    await world.connect(name="Taken")
    created = await world.connect(name="Free")

    with pytest.raises(NameTaken):
        await world.manager.update_connection(world.admin, created.id, name="taken")


async def test_of_two_updates_that_expect_the_same_version_one_learns_of_the_other(world: World) -> None:
    created = await world.connect()

    results = await asyncio.gather(
        *(
            world.manager.update_connection(world.admin, created.id, name=name, expected_version=created.version)
            for name in ("One", "Two")
        ),
        return_exceptions=True,
    )

    [conflict] = [each for each in results if isinstance(each, VersionConflict)]
    assert conflict.current_version == created.version + 1


async def test_without_an_expected_version_all_updates_at_once_succeed(world: World) -> None:
    created = await world.connect()

    await asyncio.gather(*(world.manager.update_connection(world.admin, created.id, name=f"N{n}") for n in range(5)))

    assert (await world.manager.get(world.admin, created.id)).version == created.version + 5


async def test_a_member_with_the_role_pauses_and_resumes(world: World) -> None:
    created = await world.connect()

    paused = await world.manager.update_connection_status(
        world.admin, created.id, Status.INACTIVE, reason=f" Moving\nhouse \x00{'!' * 600}"
    )
    assert (paused.status, paused.health.next_check_at) == (Status.INACTIVE, None)
    assert paused.status_reason is not None
    assert paused.status_reason.message.startswith("Moving house")
    assert len(paused.status_reason.message) == 500

    resumed = await world.manager.update_connection_status(world.admin, created.id, Status.ACTIVE)
    assert resumed == await world.manager.get(world.admin, created.id)
    assert resumed.status is Status.ACTIVE
    assert resumed.health.next_check_at is not None
    assert resumed.health.next_check_at <= world.clock()
    assert (await world.events(created.id))[-2:] == [Type.STATUS_CHANGED] * 2


async def test_a_dry_run_shows_the_step_and_takes_none(world: World) -> None:
    created = await world.connect()

    shown = await world.manager.update_connection_status(world.admin, created.id, Status.INACTIVE, dry_run=True)

    assert shown.status is Status.INACTIVE
    assert await world.manager.get(world.admin, created.id) == created


async def test_a_step_that_members_do_not_have_is_refused_with_those_that_they_have(world: World) -> None:
    created = await world.connect()

    with pytest.raises(InvalidTransition) as refusal:
        await world.manager.update_connection_status(world.admin, created.id, Status.REVOKED, dry_run=True)

    assert (refusal.value.current, refusal.value.wanted) == (Status.ACTIVE, Status.REVOKED)
    assert refusal.value.allowed == (Status.INACTIVE,)


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_stale_version_is_refused_by_every_change(world: World, dry_run: bool) -> None:
    created = await world.connect()
    token = await world.token()
    stale = created.version - 1

    for refused in (
        world.manager.update_connection(world.admin, created.id, name="New", expected_version=stale),
        world.manager.update_connection_status(
            world.admin, created.id, Status.INACTIVE, expected_version=stale, dry_run=dry_run
        ),
        world.manager.delete_connection(world.admin, created.id, expected_version=stale, dry_run=dry_run),
        world.manager.rotate_credentials(world.admin, created.id, TokenSecret(token), expected_version=stale),
    ):
        with pytest.raises(VersionConflict) as refusal:
            await refused
        assert refusal.value.current_version == created.version
    assert await world.manager.get(world.admin, created.id) == created
    assert await world.calls(token) == 0


async def test_deleting_forgets_the_secret_keeps_the_history_and_frees_the_name(world: World) -> None:
    created = await world.connect(name="Code")

    would_be = await world.manager.delete_connection(world.admin, created.id, dry_run=True)
    assert would_be == Deletion(world.organization_id, SecretFate.NOT_REVOCABLE)
    assert await world.manager.get(world.admin, created.id) == created
    deletion = await world.manager.delete_connection(world.admin, created.id)
    assert deletion == would_be

    with pytest.raises(NotFound):
        await world.manager.get(world.admin, created.id)
    assert await world.manager.list(world.admin, world.organization_id) == []
    assert await world.rows("service_credentials") == await world.rows("tasks") == []
    assert (await world.events(created.id))[-1] is Type.DELETED
    assert len(await world.rows("health_checks")) == 1
    assert (await world.connect(name="Code")).name == "Code"


async def test_connections_are_listed_oldest_first_in_pages(world: World) -> None:
    made = [(await world.connect(name=f"N{n}")).id for n in range(5)]

    first = await world.manager.list(world.admin, world.organization_id, limit=2)
    rest = await world.manager.list(world.admin, world.organization_id, after=first[-1].id)

    assert [each.id for each in (*first, *rest)] == made


async def test_settings_can_be_tried_without_a_connection(world: World) -> None:
    assert world.manager.validate_settings("github", None) == {}
    assert world.manager.validate_settings("slack", {"expiryWarningDays": 3}) == {"expiryWarningDays": 3}
    with pytest.raises(InvalidInput, match="knows no service"):
        world.manager.validate_settings("gitlab", None)


async def test_other_settings_ask_for_a_check_at_once(world: World) -> None:
    created = await world.connect()
    assert created.health.next_check_at is not None
    assert created.health.next_check_at > world.clock()

    renamed = await world.manager.update_connection(world.admin, created.id, name="Other")
    assert renamed.health.next_check_at == created.health.next_check_at
    edited = await world.manager.update_connection(world.admin, created.id, settings={"requiredScopes": ["admin:org"]})
    assert edited.missing_scopes == ("admin:org",)
    assert edited.health.next_check_at is not None
    assert edited.health.next_check_at <= world.clock()

    await world.manager.update_connection_status(world.admin, created.id, Status.INACTIVE)
    paused = await world.manager.update_connection(world.admin, created.id, settings={})
    assert (paused.missing_scopes, paused.health.next_check_at) == ((), None)


@pytest.mark.parametrize("character", ["\0", "\n", "é"])
async def test_a_text_that_no_header_can_carry_is_refused_as_a_token(world: World, character: str) -> None:
    with pytest.raises(ServiceFailure) as failure:
        await world.connect(Secret(f"canary{character}"), idempotency_key="once")
    assert (failure.value.failure_code, failure.value.field) == ("CREDENTIAL_REFUSED", ("input", "credential", "token"))


async def test_what_is_nested_without_end_is_refused_with_its_place(world: World) -> None:
    nested: Json = "x"
    for _ in range(5_000):
        nested = [nested]
    for arguments, field in (
        ({"labels": {"a": nested}}, ("input", "labels", "a")),
        ({"settings": {"requiredScopes": [nested]}}, ("input", "settings", "requiredScopes", "0")),
    ):
        with pytest.raises(InvalidInput) as refusal:
            await world.connect(**arguments, idempotency_key="once")
        assert refusal.value.field == field


async def test_a_connection_outlives_its_service(world: World) -> None:
    created = await world.connect()
    async with every_row(world.database) as connection:
        await connection.execute(update(service_connections).values(service="gitlab"))

    renamed = await world.manager.update_connection(world.admin, created.id, name="Old", labels={"a": "b"})
    assert (renamed.name, renamed.required_scopes) == ("Old", created.required_scopes)
    paused = await world.manager.update_connection_status(world.admin, created.id, Status.INACTIVE)
    assert paused.status is Status.INACTIVE
    for refused in (
        world.manager.check_connection_health(world.admin, created.id),
        world.manager.rotate_credentials(world.admin, created.id, TokenSecret(await world.token())),
        world.manager.update_connection(world.admin, created.id, settings={}),
    ):
        with pytest.raises(ServiceFailure, match="no longer knows the service 'gitlab'") as failure:
            await refused
        assert (failure.value.service, failure.value.remedy, failure.value.field) == (
            "gitlab",
            Remedy.CONTACT_ADMIN,
            (),
        )
    await world.manager.delete_connection(world.admin, created.id)
