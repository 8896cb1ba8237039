"""Every field of every type that a query reaches, from every root, asked by everybody about the other organization.

Which fields there are is read from the schema: a new one is asked for, too, or fails the test that counts them.
"""

from typing import Final

import pytest

from persistence.documents.compiler import Compiler
from tests.isolation.commands import fields_of_commands
from tests.isolation.documents import Field, arguments_of_ids
from tests.isolation.harness import Harness, nowhere
from tests.isolation.two_organizations import TWO, unmarked_texts

pytestmark = pytest.mark.anyio

_EMPTY: Final = {"organization": b'{"organization":null}', "node": b'{"node":null}', "nodes": b'{"nodes":[null]}'}


_NAMING_ARGUMENTS: Final = {
    *("id", "ids", "organizationId", "connectionId", "connectionIds", "repositoryId"),
    *("userId", "apiKeyId", "subjectId", "invitationId"),
    "eventId",
    *("service", "services", "commandId", "commandIds"),  # which are nobody's
}
"""By which names arguments name things. A new one needs a case: here, in `commands.py`, or by a generated query."""
_WORDS_OF_OURS: Final = {
    *("role", "action", "actor_kind", "kind", "type", "trigger", "next_trigger", "operation", "method", "stage"),
    *("status", "status_from", "status_to", "status_reason_code", "status_reason_remedy", "health_status", "verdict"),
    *("service", "finding", "ended_as", "key_id", "subject_id"),
    *("command", "least_role", "error_kind", "error_code", "error_remedy", "error_argument"),
    # never shown
    *("name", "return_to", "sealed_grant", "sealed_verifier", "grant_fingerprint", "grant_webhook_key"),
    *("key", "at", "etag", "next"),
}


async def test_whoever_belongs_to_another_organization_sees_nothing_of_any_field(asking: Harness) -> None:
    for slug in TWO:
        owner = asking.owner(slug)
        for document in asking.walk.documents():
            if not document.asks_by_id:
                continue
            there, missing = {"id": await asking.there(document, slug)}, {"id": nowhere(document)}
            nothing = await asking.ask(document.text, owner, missing)
            root = document.root.partition("(")[0]
            assert (nothing.data, nothing.errors) == (_EMPTY[root], []), document
            for caller in asking.outside(slug):
                answer = await asking.ask(document.text, caller, there)
                assert (answer.data, answer.errors) == (nothing.data, nothing.errors), (str(document), str(caller))


async def test_what_is_asked_without_an_id_tells_nobody_of_other_organizations(asking: Harness) -> None:
    for document in asking.walk.documents():
        if not document.asks_by_id:
            for caller in asking.callers:
                assert asking.leaks(await asking.ask(document.text, caller), caller) == set(), (document, str(caller))


async def test_members_of_every_role_see_their_own_organization_alone(asking: Harness) -> None:
    for slug in TWO:
        for document in asking.walk.documents():
            if document.asks_by_id and document.entry == document.type_name:
                there = {"id": await asking.there(document, slug)}
                for caller in asking.callers:
                    if caller.person.organization == slug:
                        answer = await asking.ask(document.text, caller, there)
                        assert asking.leaks(answer, caller) == set(), (str(document), str(caller))


async def test_foreign_and_missing_are_read_by_the_same_statements(asking: Harness) -> None:
    for document in asking.walk.documents():
        if document.asks_by_id:
            for caller in (asking.owner("globex"), asking.owner("globex", "confined key")):
                foreign = await asking.statements_of(
                    document.text, caller, {"id": await asking.there(document, "acme")}
                )
                missing = await asking.statements_of(document.text, caller, {"id": nowhere(document)})
                assert foreign == missing, document
                assert len(foreign) == 1


async def test_a_document_that_is_bound_to_nobody_is_refused(asking: Harness) -> None:
    documents = asking.path.documents
    compiler = Compiler(documents._dialect, {}, documents._catalogue, 100)
    with pytest.raises(RuntimeError, match="isn't bound to a viewer"):
        compiler.plan("select name from organizations limit 1")


@pytest.mark.parametrize("two_url", ["sqlite"], indirect=True)
async def test_every_field_has_a_case(asking: Harness) -> None:
    asked: set[Field] = set()
    for document in asking.walk.documents():
        asked |= document.fields
    assert asking.walk.all_fields() - asked - fields_of_commands(asking.walk) == set()


@pytest.mark.parametrize("two_url", ["sqlite"], indirect=True)
async def test_every_argument_that_names_something_is_known(asking: Harness) -> None:
    known = {*_NAMING_ARGUMENTS, "after", "before"}
    assert {place.rpartition(".")[2] for place in arguments_of_ids(asking.walk.schema)} == known


def test_every_text_of_an_organization_is_marked_or_one_of_ours() -> None:
    assert {column for _, column in unmarked_texts()} == _WORDS_OF_OURS
