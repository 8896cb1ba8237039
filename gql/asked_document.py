"""AskedDocument: a document that a request names by an id instead of its text, or besides it.

`asked_query` reads it of what was sent, whether by HTTP or on a socket; the schema finds out what is meant by it.
"""

from collections.abc import Mapping
from typing import Any, Final

from domain.entities.trusted_document import ID_FORM, parse_document_id
from domain.errors import BadUserInput
from gql.errors import NO_QUERY


class AskedDocument(str):
    """The text that was sent, empty where there was none, with the id that came with it.

    It is a text so that it takes the way of every other through the layers that needn't know. `by_hash`: it came as
    Apollo's `extensions.persistedQuery`, whose clients expect answers in its words.
    """

    __slots__ = ("by_hash", "document_id")

    document_id: str
    by_hash: bool

    def __new__(cls, text: str, document_id: str, *, by_hash: bool) -> "AskedDocument":
        asked = super().__new__(cls, text)
        asked.document_id, asked.by_hash = document_id, by_hash
        return asked


def asked_query(content: Mapping[str, Any]) -> str:
    """What a request's members `query`, `documentId` and `extensions` ask for: a text, or an AskedDocument.

    Raises BadUserInput.
    """
    text, written = content.get("query"), content.get("documentId")
    extensions = content.get("extensions")
    hashed = _hashed(extensions.get("persistedQuery")) if isinstance(extensions, dict) else None
    if written is None and hashed is None:
        if not isinstance(text, str):
            raise BadUserInput(NO_QUERY)
        return text
    if not isinstance(text, str | None):
        raise BadUserInput("query is text, or null.")
    document_id = hashed if written is None else _id(written, "documentId")
    if document_id is None or hashed not in {None, document_id}:
        raise BadUserInput("documentId and extensions.persistedQuery name two different documents.")
    return AskedDocument(text or "", document_id, by_hash=written is None)


def _hashed(persisted: Any) -> str | None:
    """The id in Apollo's extension; None for none."""
    if persisted is None:
        return None
    if not isinstance(persisted, dict) or persisted.get("version") != 1:
        raise BadUserInput(_PERSISTED_QUERY_FORM)
    return _id(persisted.get("sha256Hash"), "sha256Hash")


def _id(written: object, member: str) -> str:
    parsed = parse_document_id(written) if isinstance(written, str) else None
    if parsed is None:
        raise BadUserInput(f"{member} can't be read. {ID_FORM}")
    return parsed


_PERSISTED_QUERY_FORM: Final = 'extensions.persistedQuery is {"version": 1, "sha256Hash": …}.'
