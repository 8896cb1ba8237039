"""The contract of the repository of trusted documents: an id stands for one text, and uses say what may go."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.entities.trusted_document import TrustedDocument
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


def document(id_: str, name: str = "A", text: str = "query A { services { id } }") -> TrustedDocument:
    return TrustedDocument(id_, text, name, NOW, NOW)


async def test_a_document_is_found_as_it_was_added_and_once(units: SqlUnitsOfWork) -> None:
    one = document("sha256:" + "0a" * 32, text='query A {\n  node(id: "…") { id }\n}')
    async with units.writing_everywhere() as unit:
        assert await unit.trusted_documents.find(one.id) is None
        assert await unit.trusted_documents.add(one) is True
        assert await unit.trusted_documents.add(replace(one, text="{ other }")) is False
        assert await unit.trusted_documents.find(one.id) == one
        assert await unit.trusted_documents.find(one.id.upper()) is None


async def test_they_are_listed_by_name_and_those_alone_that_are_not_used(units: SqlUnitsOfWork) -> None:
    async with units.writing_everywhere() as unit:
        for id_, name in [("c", "B"), ("b", "A"), ("a", "B"), ("d", "")]:
            assert await unit.trusted_documents.add(document(id_, name))
        assert [each.id for each in await unit.trusted_documents.list()] == ["d", "b", "a", "c"]
        await unit.trusted_documents.mark_published(["b", "nothing"], NOW + 3 * DAY)
        await unit.trusted_documents.mark_used("a", NOW + 4 * DAY)
        await unit.trusted_documents.mark_used("c", NOW + DAY)
        unused = await unit.trusted_documents.list(unused_since=NOW + 2 * DAY)
        assert [each.id for each in unused] == ["d", "c"]
        assert [each.id for each in await unit.trusted_documents.list(unused_since=NOW)] == []


async def test_neither_mark_goes_back(units: SqlUnitsOfWork) -> None:
    async with units.writing_everywhere() as unit:
        await unit.trusted_documents.add(document("a"))
        for at in (NOW + 2 * DAY, NOW + DAY):
            await unit.trusted_documents.mark_published(["a"], at)
            await unit.trusted_documents.mark_used("a", at)
        kept = await unit.trusted_documents.find("a")
    assert kept == replace(document("a"), published_at=NOW + 2 * DAY, used_at=NOW + 2 * DAY)


async def test_more_than_a_statement_takes_are_marked_and_removed(units: SqlUnitsOfWork) -> None:
    ids = [f"id-{number:04}" for number in range(1_100)]
    async with units.writing_everywhere() as unit:
        for id_ in ids[::100]:
            await unit.trusted_documents.add(document(id_))
        await unit.trusted_documents.mark_published(ids, NOW + DAY)
        assert {each.published_at for each in await unit.trusted_documents.list()} == {NOW + DAY}
        assert sorted(await unit.trusted_documents.remove(ids)) == ids[::100]
        assert await unit.trusted_documents.list() == []
