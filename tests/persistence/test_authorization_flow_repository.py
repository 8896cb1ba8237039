"""The contract of AuthorizationFlowRepository, on both databases: each step of a flow is taken once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from domain.entities.authorization_flow import AuthorizationFlow, FlowStage
from domain.entities.identifiers import new_id
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW

pytestmark = pytest.mark.anyio


async def test_a_flow_is_found_by_each_of_its_hashes_with_everything_in_it(
    units: SqlUnitsOfWork, acme: UUID, ada: UUID
) -> None:
    kept = replace(
        _flow(acme, ada),
        api_key_id=new_id(),
        connection_id=new_id(),
        name="Octo",
        labels={"team": "core"},
        settings={"requiredScopes": ["repo"]},
        scopes=("repo", "read:org"),
        return_to="https://app.example/done",
        stage=FlowStage.EXCHANGED,
        state_hash=b"state" * 7,
        cookie_hash=b"cookie",
        code_hash=b"code" * 8,
        sealed_verifier="v1.verifier",
        sealed_grant="v1.grant",
        grant_fingerprint="ab12",
        grant_webhook_key="team:T1",
    )
    await _add(units, kept, _flow(acme, ada))
    async with units.reading_everywhere() as unit:
        assert await unit.authorization_flows.find(start_hash=kept.start_hash) == kept
        assert await unit.authorization_flows.find(state_hash=kept.state_hash) == kept
        assert await unit.authorization_flows.find(code_hash=kept.code_hash) == kept
        assert await unit.authorization_flows.find(code_hash=kept.state_hash) is None


async def test_a_flow_without_anything_optional_comes_back(units: SqlUnitsOfWork, acme: UUID, ada: UUID) -> None:
    kept = _flow(acme, ada)
    await _add(units, kept)
    async with units.reading_everywhere() as unit:
        assert await unit.authorization_flows.find(start_hash=kept.start_hash) == kept


@pytest.mark.parametrize(
    ("key", "fingerprint", "webhook_key", "waits"),
    [
        ("team:T1", "ab12", None, True),
        ("team:T1", "cd34", None, False),
        ("team:T1", "cd34", "team:T1", True),
        ("team:T1", "cd34", "team:T2", False),
        (None, "cd34", "team:T2", True),
        (None, "cd34", None, False),
    ],
)
async def test_a_grant_that_waits_is_known_by_its_fingerprint_and_key(
    units: SqlUnitsOfWork,
    acme: UUID,
    ada: UUID,
    key: str | None,
    fingerprint: str,
    webhook_key: str | None,
    waits: bool,
) -> None:
    holding = replace(_flow(acme, ada), grant_fingerprint="ab12", grant_webhook_key=key)
    await _add(units, holding, _flow(acme, ada))
    async with units.reading_everywhere() as unit:
        flows = unit.authorization_flows
        assert await flows.grant_waits(holding.service, fingerprint, webhook_key) is waits
        assert not await flows.grant_waits("another", fingerprint, webhook_key)


@pytest.mark.parametrize("hashes", [{}, {"start_hash": b"1", "code_hash": b"2"}])
async def test_a_flow_is_looked_for_by_exactly_one_hash(units: SqlUnitsOfWork, hashes: dict[str, bytes]) -> None:
    async with units.reading_everywhere() as unit:
        with pytest.raises(ValueError, match="exactly one"):
            await unit.authorization_flows.find(**hashes)


async def test_of_many_who_take_the_same_step_at_once_one_takes_it(
    units: SqlUnitsOfWork, acme: UUID, ada: UUID
) -> None:
    flow = _flow(acme, ada)
    await _add(units, flow)
    steps = [
        replace(flow, stage=FlowStage.STARTED, state_hash=b"state %d" % number, cookie_hash=b"cookie %d" % number)
        for number in range(5)
    ]

    async def take(step: AuthorizationFlow) -> bool:
        async with units.writing_everywhere() as unit:
            taken = await unit.authorization_flows.advance(step, from_stage=FlowStage.BEGUN)
            await asyncio.sleep(0)
            await unit.commit()
            return taken

    taken = await asyncio.gather(*map(take, steps))
    assert sorted(taken) == [False] * 4 + [True]
    async with units.reading_everywhere() as unit:
        assert await unit.authorization_flows.find(start_hash=flow.start_hash) == steps[taken.index(True)]


async def test_a_flow_is_removed_once(units: SqlUnitsOfWork, acme: UUID, ada: UUID) -> None:
    gone, stays = _flow(acme, ada), _flow(acme, ada)
    await _add(units, gone, stays)

    async def remove() -> bool:
        async with units.writing_everywhere() as unit:
            removed = await unit.authorization_flows.remove(gone.id)
            await unit.commit()
            return removed

    assert sorted(await asyncio.gather(remove(), remove())) == [False, True]
    async with units.writing_everywhere() as unit:
        assert await unit.authorization_flows.find(start_hash=gone.start_hash) is None
        assert await unit.authorization_flows.find(start_hash=stays.start_hash) == stays
        assert await unit.authorization_flows.advance(gone, from_stage=FlowStage.BEGUN) is False


async def test_expired_flows_are_told_the_longest_expired_first(units: SqlUnitsOfWork, acme: UUID, ada: UUID) -> None:
    flows = [replace(_flow(acme, ada), expires_at=NOW + timedelta(minutes=minutes)) for minutes in (0, -2, 1, -1)]
    await _add(units, *flows)
    async with units.reading_everywhere() as unit:
        assert await unit.authorization_flows.expired(NOW, 2) == [flows[1], flows[3]]
        assert await unit.authorization_flows.expired(NOW, 10) == [flows[1], flows[3], flows[0]]


def _flow(organization_id: UUID, user_id: UUID) -> AuthorizationFlow:
    id_ = new_id()
    return AuthorizationFlow(
        id=id_,
        organization_id=organization_id,
        user_id=user_id,
        api_key_id=None,
        service="github",
        method="github_oauth",
        connection_id=None,
        name=None,
        labels={},
        settings={},
        scopes=(),
        return_to=None,
        popup=True,
        allow_account_change=False,
        stage=FlowStage.BEGUN,
        start_hash=b"start " + id_.bytes,
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
    )


async def _add(units: SqlUnitsOfWork, *flows: AuthorizationFlow) -> None:
    async with units.writing_everywhere() as unit:
        for flow in flows:
            await unit.authorization_flows.add(flow)
        await unit.commit()
