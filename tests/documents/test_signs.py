"""The signs of gaps and refusals in a document's text: what people wrote is never taken for one."""

from uuid import UUID

from persistence.documents.gaps import GAP, Gap, gaps_in
from persistence.documents.refusals import REFUSED, take_refusals

ID = UUID(int=7)


def test_what_people_wrote_is_no_gap() -> None:
    written = f'{{"said":"\\u0003{ID}","more":"\\\\u0003","commands":"{GAP}{ID}"}}'
    assert gaps_in(written) == [Gap(("commands",), ID)]


def test_what_people_wrote_is_no_refusal() -> None:
    written = f'{{"said":"\\u0002OWNER MEMBER","auditLog":"{REFUSED}OWNER MEMBER"}}'
    text, refusals = take_refusals(written)
    assert text == '{"said":"\\u0002OWNER MEMBER","auditLog":null}'
    assert [refusal.place for refusal in refusals] == [("auditLog",)]
