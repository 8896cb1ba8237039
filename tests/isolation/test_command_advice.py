"""What can be done, and what is chosen: the ids of another organization name nothing, as ids do that nobody has."""

import json
from typing import Final

import pytest

from tests.isolation.harness import Harness
from tests.isolation.two_organizations import TWO

pytestmark = pytest.mark.anyio

_NOWHERE: Final = "00000000-0000-4000-8000-000000000000"
_SHOWN: Final = """
  command { id } connection { id name } arguments explanation confidence
  runnersUp { connection { id name } why score } refused { connection { id name } reasons { code message until } }
"""
_SELECTION: Final = f"""query ($id: ID!, $input: CommandSelectionInput!) {{
  organization(by: {{id: $id}}) {{ commandSelection(input: $input) {{ {_SHOWN} }} }}
}}"""
_COMMANDS: Final = """query ($id: ID!, $repositoryId: ID) {
  organization(by: {id: $id}) { commands(repositoryId: $repositoryId) {
    usableCount connectionCount connections(first: 50) { connection { id name } reasons { code message until } }
  } }
}"""
_KINDS: Final = {
    "connectionId": ("conn", "service_connections"),
    "repositoryId": ("repo", "repositories"),
    "eventId": ("evt", "connection_events"),
}


@pytest.mark.parametrize("argument", _KINDS)
async def test_foreign_and_missing_ids_choose_alike(asking: Harness, argument: str) -> None:
    prefix, table = _KINDS[argument]
    for slug, other in (TWO, TWO[::-1]):
        caller, own = asking.owner(slug), f"org_{asking.two.organization_id(slug)}"
        for command in ("github.read_file", "slack.post_message"):
            answers = set()
            statements = []
            for row in [*asking.two.of(table, other)[:3], {"id": _NOWHERE}]:
                variables = {"id": own, "input": {"commandId": command, argument: f"{prefix}_{row['id']}"}}
                answer = await asking.ask(_SELECTION, caller, variables)
                assert asking.leaks(answer, caller) == set()
                answers.add((answer.data, json.dumps(answer.errors)))
                statements.append(len(await asking.statements_of(_SELECTION, caller, variables)))
            assert len(answers) == 1
            assert len(set(statements)) == 1


async def test_a_foreign_repository_is_reached_by_no_connection(asking: Harness) -> None:
    for slug, other in (TWO, TWO[::-1]):
        caller, own = asking.owner(slug), f"org_{asking.two.organization_id(slug)}"
        foreign = f"repo_{asking.two.of('repositories', other)[0]['id']}"
        answers = [
            await asking.ask(_COMMANDS, caller, {"id": own, "repositoryId": id_})
            for id_ in (foreign, f"repo_{_NOWHERE}", "nothing")
        ]
        assert len({(answer.data, json.dumps(answer.errors)) for answer in answers}) == 1
        assert asking.leaks(answers[0], caller) == set()
        assert b'"name":' in answers[0].data


async def test_members_of_each_organization_are_told_of_their_own_connections_alone(asking: Harness) -> None:
    for slug in TWO:
        own = f"org_{asking.two.organization_id(slug)}"
        for caller in asking.callers:
            answer = await asking.ask(_COMMANDS, caller, {"id": own})
            if caller in list(asking.outside(slug)):
                assert answer.data == b'{"organization":null}'
            assert asking.leaks(answer, caller) == set()
