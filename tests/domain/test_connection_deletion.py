"""A deleted connection's secret is revoked at its service too, at once or later, unless that would end another one."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from domain.address_guard import OutboundAllow
from domain.connection_deletion import ConnectionDeletion, SecretFate
from domain.connection_units import credential_of
from domain.credential_revocation import CredentialRevocations
from domain.credential_secrets import OAuthSecret
from domain.credential_vault import CredentialVault
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task, TaskKind
from domain.http import HttpClient
from domain.services.base import Identified
from domain.services.catalogue import ServiceCatalogue
from domain.services.github import GitHub
from domain.services.service_fault import ServiceFault
from domain.task_outcome import Ended
from tests.domain.oauth_links import OAuthLinks
from tests.domain.world import World

pytestmark = pytest.mark.anyio


class Linked:
    """A connection that a browser has linked, and what deletes it."""

    def __init__(self, world: World, links: OAuthLinks, service: GitHub, connection: ServiceConnection) -> None:
        self.world, self.links, self.service, self.connection = world, links, service, connection
        self.catalogue = ServiceCatalogue([service])
        self.vault = CredentialVault(world.encryption)
        self.revocations = CredentialRevocations(world.units, self.catalogue, self.vault, world.clock)
        self.deletion = ConnectionDeletion(self.revocations, self.catalogue, self.vault, world.clock)

    async def delete(self) -> SecretFate:
        async with self.world.units.writing(self.connection.organization_id) as unit:
            connection = await unit.connections.get(self.connection.id)
            stored = await self.deletion.store(unit, self.world.admin, connection)
        return await self.deletion.revoke(stored)

    async def foresee(self) -> SecretFate:
        async with self.world.units.reading(self.connection.organization_id) as unit:
            return await self.deletion.foresee(unit, self.connection)

    async def known_as(self, key: str, connection: ServiceConnection) -> None:
        """Webhooks call the connection so."""
        async with self.world.units.writing(connection.organization_id) as unit:
            stored = await unit.connections.get(connection.id)
            stored.webhook_key = key
            await unit.connections.save(stored)
            await unit.commit()

    async def task(self) -> Task:
        """The one revocation that is to be done, claimed when it is due."""
        self.world.clock.advance(minutes=2)
        async with self.world.units.writing_everywhere() as unit:
            now = self.world.clock()
            [task] = await unit.tasks.claim(now, now + timedelta(minutes=1), 10, [TaskKind.REVOKE_CREDENTIAL])
            await unit.commit()
        return task

    async def is_good(self, secret: OAuthSecret) -> bool:
        return isinstance(await self.service.identify(secret), Identified)


@pytest.fixture
async def linked(world: World) -> AsyncIterator[Linked]:
    http = HttpClient(allow=OutboundAllow.parse("127.0.0.1"), retry_delay_seconds=lambda: 0.0)
    links = OAuthLinks(world.sandbox, world.units, CredentialVault(world.encryption), world.clock)
    await links.register()
    service = links.service(http)
    yield Linked(world, links, service, await links.link(service, world.organization_id))
    await http.aclose()


async def test_it_is_revoked_at_once(linked: Linked) -> None:
    secret = await linked.links.secret(linked.connection)
    assert await linked.is_good(secret)
    assert await linked.foresee() is SecretFate.REVOKED
    assert await linked.is_good(secret)
    assert await linked.delete() is SecretFate.REVOKED
    assert not await linked.is_good(secret)
    assert await linked.world.rows("service_credentials") == await linked.world.rows("tasks") == []


async def test_a_service_that_is_down_is_asked_again(linked: Linked) -> None:
    world, secret = linked.world, await linked.links.secret(linked.connection)
    await world.sandbox.set_down("github", down=True)
    try:
        assert await linked.delete() is SecretFate.PENDING
    finally:
        await world.sandbox.set_down("github", down=False)
    assert await world.rows("service_credentials") == []
    [row] = await world.rows("tasks")
    assert secret.access_token.reveal() not in str(row)

    assert await linked.revocations.revoke(await linked.task()) == Ended()
    assert not await linked.is_good(secret)


async def test_what_came_to_be_used_by_its_turn_is_left_alone(linked: Linked) -> None:
    """Where a service ends all of an account with one token, a task may be a week late for that."""
    world, links, secret = linked.world, linked.links, await linked.links.secret(linked.connection)
    linked.service.revocation_spreads = True
    await linked.known_as("account:1", linked.connection)
    await world.sandbox.set_down("github", down=True)
    try:
        assert await linked.delete() is SecretFate.PENDING
    finally:
        await world.sandbox.set_down("github", down=False)
    await linked.known_as("account:1", await links.link(linked.service, world.organization_id, "Again"))

    assert await linked.revocations.revoke(await linked.task()) == Ended()
    assert await linked.is_good(secret)


async def test_a_task_of_an_earlier_version_asks_whose_the_secret_is(linked: Linked) -> None:
    world, secret = linked.world, await linked.links.secret(linked.connection)
    linked.service.revocation_spreads = True
    async with world.units.writing_everywhere() as unit:
        await linked.revocations.entrust(
            unit, world.organization_id, linked.connection.id, "github", secret, webhook_key=None
        )
        await unit.commit()
    await linked.known_as("account:583000", linked.connection)
    found = await linked.service.identify(secret)
    assert isinstance(found, Identified)
    assert found.identity.webhook_key == "account:583000"

    async with world.units.writing(world.organization_id) as unit:  # so that the fingerprint isn't what is found
        credential = await credential_of(unit, linked.connection)
        credential.fingerprint = "another"
        await unit.credentials.save(credential, replaces_generation=credential.generation)
        await unit.commit()
    assert await linked.revocations.revoke(await linked.task()) == Ended()
    assert await linked.is_good(secret)


async def test_what_another_connection_lives_by_stays(linked: Linked) -> None:
    """Some services give the same token each time."""
    world, links = linked.world, linked.links
    other = await links.link(linked.service, world.organization_id, "Other")
    secret = await links.secret(linked.connection)
    async with world.units.writing(world.organization_id) as unit:
        mine, theirs = await credential_of(unit, linked.connection), await credential_of(unit, other)
        theirs.fingerprint = mine.fingerprint
        await unit.credentials.save(theirs, replaces_generation=theirs.generation)
        await unit.commit()
    assert await linked.foresee() is SecretFate.IN_USE
    assert await linked.delete() is SecretFate.IN_USE
    assert await linked.is_good(secret)


async def test_a_secret_that_does_not_open_cannot_be_revoked(linked: Linked) -> None:
    world = linked.world
    async with world.units.writing(world.organization_id) as unit:
        credential = await credential_of(unit, linked.connection)
        credential.sealed = f"{credential.sealed[:-4]}AAAA"
        await unit.credentials.save(credential, replaces_generation=credential.generation)
        await unit.commit()
    assert await linked.foresee() is SecretFate.UNKNOWN
    assert await linked.delete() is SecretFate.UNKNOWN
    assert await world.rows("tasks") == []


async def test_the_service_is_asked_with_no_transaction_open(linked: Linked) -> None:
    """A service that doesn't answer holds nobody up: the deletion is stored before it is asked."""
    async with linked.world.units.writing(linked.connection.organization_id) as unit:
        connection = await unit.connections.get(linked.connection.id)
        stored = await linked.deletion.store(unit, linked.world.admin, connection)
    assert await linked.world.manager.list(linked.world.admin, linked.connection.organization_id) == []
    secret = stored.secret if not isinstance(stored, SecretFate) else None
    assert secret is not None
    assert not isinstance(await linked.service.identify(secret), ServiceFault)
    assert await linked.deletion.revoke(stored) is SecretFate.REVOKED
