"""Every mutation and subscription, asked by everybody about what is another organization's: as if it weren't there.

A new one fails the tests that compare the cases of `commands.py` with the schema.
"""

from datetime import timedelta
from itertools import product
from typing import Any

import orjson
import pytest
from sqlalchemy import insert

from domain.entities.authorization_flow import FlowStage
from domain.entities.event import HEALTH_EVENT_TYPES
from domain.entities.identifiers import new_id
from domain.one_time_tokens import new_one_time_token, one_time_hash
from persistence.tables import authorization_flows
from tests.documents.world_maker import NOW
from tests.every_row import every_row
from tests.isolation.commands import KINDS, MUTATIONS, SUBSCRIPTIONS, ids_of, mutation, nobodys, subscription
from tests.isolation.harness import Caller, Harness
from tests.isolation.two_organizations import TWO

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("two_url", ["sqlite"], indirect=True)
async def test_every_mutation_and_subscription_has_a_case(asking: Harness) -> None:
    schema = asking.walk.schema
    assert schema.mutation_type is not None
    assert schema.subscription_type is not None
    assert set(schema.mutation_type.fields) == set(MUTATIONS)
    assert set(schema.subscription_type.fields) == set(SUBSCRIPTIONS)


async def test_what_is_foreign_can_no_more_be_changed_than_what_is_missing(asking: Harness) -> None:
    for slug, (name, command) in product(TWO, MUTATIONS.items()):
        text, _ = mutation(asking.walk, name)
        before = await asking.rows(slug)
        for caller in asking.outside(slug):
            for foreign, missing in await _pairs(asking, command.named, slug, caller):
                there = await _told(asking, text, caller, command.input(foreign))
                nowhere = await _told(asking, text, caller, command.input(missing))
                assert there == nowhere, (name, slug, str(caller))
                assert "NOT_FOUND" in there or "FORBIDDEN" in there or "INVALID" in there, there
        besides = {"authorization_flows"} if "code" in command.named else set()
        after = await asking.rows(slug)
        for table in before.keys() - besides:
            assert after[table] == before[table], (name, table)


async def test_foreign_and_missing_take_the_same_statements(asking: Harness) -> None:
    for caller, (name, command) in product(_OF_GLOBEX, MUTATIONS.items()):
        text, _ = mutation(asking.walk, name)
        asked_by = asking.owner("globex", caller)
        for foreign, missing in [] if command.differs else await _pairs(asking, command.named, "acme", asked_by):
            there = await asking.statements_of(text, asked_by, {"input": command.input(foreign)})
            assert there == await asking.statements_of(text, asked_by, {"input": command.input(missing)}), name


_ENDING = ("delete", "remove", "revoke")
_OF_GLOBEX = ("key", "confined key", "person")


async def test_members_get_another_answer_about_their_own(asking: Harness) -> None:
    for name, command in sorted(MUTATIONS.items(), key=lambda each: each[0].startswith(_ENDING)):
        if command.named and not command.differs:
            text, _ = mutation(asking.walk, name)
            own = await _told(asking, text, asking.owner("acme"), command.input(_ids(asking, "acme")))
            missing = await _told(asking, text, asking.owner("acme"), command.input(_nowhere(asking, "acme")))
            assert own != missing, name
            assert "NOT_FOUND" in missing


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
async def test_nobody_follows_another_organization(asking: Harness, name: str) -> None:
    for slug in TWO:
        foreign = subscription(asking.walk, name, _ids(asking, slug))
        missing = subscription(asking.walk, name, _nowhere(asking, slug))
        for caller in asking.outside(slug):
            there = await asking.first_of(foreign, caller)
            assert there == await asking.first_of(missing, caller)
            assert there.error[0] == "FORBIDDEN"


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
async def test_members_follow_their_own_organization_alone(asking: Harness, name: str) -> None:
    for caller in asking.callers:
        slug = caller.person.organization
        if slug is not None:
            told = await asking.first_of(subscription(asking.walk, name, _ids(asking, slug)), caller)
            assert told.errors == []
            assert b'Event","' in told.data
            assert asking.leaks(told, caller) == set()


async def test_a_filter_for_foreign_connections_finds_nothing_more_in_ones_own_feed(asking: Harness) -> None:
    caller, ids = asking.owner("globex", "key"), _ids(asking, "globex")
    alone = await asking.first_of(subscription(asking.walk, "connectionHealth", ids), caller)
    both = ids | {"connection": f'{_ids(asking, "acme")["connection"]}", "{ids["connection"]}'}
    assert await asking.first_of(subscription(asking.walk, "connectionHealth", both), caller) == alone


async def _told(asking: Harness, text: str, caller: Caller, given: dict[str, Any]) -> str:
    """All that a mutation answers."""
    answer = await asking.ask(text, caller, {"input": given})
    assert asking.leaks(answer, caller, given) == set()
    return answer.data.decode() + orjson.dumps(answer.errors).decode()


async def _pairs(
    asking: Harness, named: tuple[str, ...], slug: str, caller: Caller
) -> list[tuple[dict[str, str], dict[str, str]]]:
    """For each id that the input names: that one foreign, and that one missing; the others are the caller's own."""
    own = _ids(asking, caller.person.organization or slug)
    foreign, missing = _ids(asking, slug), _nowhere(asking, slug)
    if "code" in named:
        foreign["code"] = await _code(asking, slug)
    return [(own | {kind: foreign[kind]}, own | {kind: missing[kind]}) for kind in named]


def _ids(asking: Harness, slug: str) -> dict[str, str]:
    """One of each kind, of an organization; of connections one that is alive, at GitHub and with health to tell of."""
    told = {
        row["connection_id"] for row in asking.two.of("connection_events", slug) if row["type"] in HEALTH_EVENT_TYPES
    }
    rows = {
        row["id"]: row["deleted_at"] is None and row["service"] == "github" and row["id"] in told
        for row in asking.two.rows["service_connections"]
    }
    ids = _nowhere(asking, slug)
    for kind, (prefix, table) in KINDS.items():
        for row in asking.two.of(table, slug):
            if rows.get(row.get("connection_id", row["id"]), True):
                ids[kind] = f"{prefix}_{row['id']}"
                break
    return ids | {"user": ids_of(asking.two, slug, "user")[-1]}  # who is asked by is an owner


def _nowhere(asking: Harness, slug: str) -> dict[str, str]:
    """Ids of nothing, with a cursor that would be one of the organization."""
    return {kind: nobodys(kind) for kind in KINDS} | {"code": "nothing", "cursor": _cursor(asking, slug)}


def _cursor(asking: Harness, slug: str) -> str:
    """The beginning of a feed."""
    (counter,) = asking.two.of("event_counters", slug)
    return f"evt~{counter['organization_id']}~{counter['epoch']}~0"


async def _code(asking: Harness, slug: str) -> str:
    """A completion code that the organization's owner has come back with."""
    code = new_one_time_token().reveal()
    flow = {
        "id": new_id(),
        "organization_id": asking.two.organization_id(slug),
        "user_id": asking.owner(slug).viewer.user_id,
        "service": "github",
        "method": "OAUTH2",
        "labels": {},
        "settings": {},
        "scopes": [],
        "popup": False,
        "allow_account_change": False,
        "stage": FlowStage.EXCHANGED.value,
        "start_hash": one_time_hash(code + "start"),
        "code_hash": one_time_hash(code),
        "created_at": NOW,
        "expires_at": NOW + timedelta(minutes=10),
    }
    async with every_row(asking.path.database) as connection:
        await connection.execute(insert(authorization_flows), [flow])
    return code
