"""PersistedQueries: which document a request means that names one by an id, and whether a mere text is answered at all.

Asked by `gql/schema.py` for each operation before anything is parsed. Made by the composition root.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from domain.entities.trusted_document import TrustedDocument, hash_of
from domain.errors import BadUserInput, Forbidden, PersistedQueryNotFound, PersistedQueryNotSupported
from domain.trusted_documents import TrustedDocuments
from gql.asked_document import AskedDocument
from gql.operations import OperationCache
from gql.watched_operations import note_asked

PUBLISHED: Final = "PUBLISHED"
REMEMBERED: Final = "REMEMBERED"
"""A text that this process has had before, asked for by its hash alone."""

SENT_ALONG: Final = "SENT_ALONG"
"""A text that came with its hash, and isn't published."""

NOT_FOUND: Final = "NOT_FOUND"
REFUSED: Final = "REFUSED"
"""A text that isn't published, where only published ones are answered; or one that isn't what its id says."""

OUTCOMES: Final = (PUBLISHED, REMEMBERED, SENT_ALONG, NOT_FOUND, REFUSED)


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document to run. `key`: what it is known by, the SHA-256 of its text, or its id where it is trusted."""

    text: str
    key: bytes | str
    trusted: bool


class PersistedQueries:
    """`trusted`: None where ids aren't answered. `required`: whether nothing is answered but what is published."""

    def __init__(self, trusted: TrustedDocuments | None, *, required: bool) -> None:
        self._trusted = trusted
        self._required = required

    async def find(self, query: str, operation_name: str | None, operations: OperationCache) -> FoundDocument:
        """What a query means, which may be an AskedDocument.

        Raises PersistedQueryNotFound, PersistedQueryNotSupported, BadUserInput for a text that isn't what its id says,
        Forbidden for one that isn't published where it has to be, and ServiceUnavailable.
        """
        if not isinstance(query, AskedDocument):
            if self._required:
                raise self._refusal()
            return FoundDocument(query, sha256(query.encode()).digest(), trusted=False)
        if self._trusted is None:
            if not query:
                raise _not_supported(query)
            return FoundDocument(query, sha256(query.encode()).digest(), trusted=False)
        published = await self._trusted.find(query.document_id)
        if published is not None:
            return self._published(query, published)
        return self._sent(query) if query else self._remembered(query, operation_name, operations)

    def _published(self, query: AskedDocument, published: TrustedDocument) -> FoundDocument:
        if query and query != published.text:
            raise self._mismatch()
        note_asked(PUBLISHED)
        return FoundDocument(published.text, published.id, trusted=True)

    def _sent(self, query: AskedDocument) -> FoundDocument:
        """A text with an id by which nothing is published."""
        if self._required:
            raise self._refusal()
        digest = sha256(query.encode()).digest()
        if digest != hash_of(query.document_id):
            raise self._mismatch()
        note_asked(SENT_ALONG)
        return FoundDocument(query, digest, trusted=False)

    def _remembered(
        self, query: AskedDocument, operation_name: str | None, operations: OperationCache
    ) -> FoundDocument:
        digest = hash_of(query.document_id)
        known = None if digest is None or self._required else operations.known(digest, operation_name)
        if known is None or digest is None:
            note_asked(NOT_FOUND)
            raise _not_found(query)
        note_asked(REMEMBERED)
        return FoundDocument(known.text, digest, trusted=False)

    def _refusal(self) -> Forbidden:
        note_asked(REFUSED)
        return Forbidden(ONLY_PUBLISHED)

    def _mismatch(self) -> BadUserInput:
        note_asked(REFUSED)
        return BadUserInput(MISMATCH)


def _not_found(query: AskedDocument) -> PersistedQueryNotFound:
    """urql looks for the very words."""
    return PersistedQueryNotFound("PersistedQueryNotFound" if query.by_hash else UNKNOWN_ID)


def _not_supported(query: AskedDocument) -> PersistedQueryNotSupported:
    return PersistedQueryNotSupported("PersistedQueryNotSupported" if query.by_hash else NO_IDS)


NO_PERSISTED_QUERIES: Final = PersistedQueries(None, required=False)

ONLY_PUBLISHED: Final = (
    "This server answers published documents alone. Send the id of one, as documentId or extensions.persistedQuery. "
    "Its operators publish the manifest that a client's build has made with `tether documents publish`."
)
MISMATCH: Final = "The query isn't the document that its id names: an id is sha256: with the hash of the very text."
UNKNOWN_ID: Final = (
    "No document is published by this id, or not any more. Operators publish the manifest that a client's build has "
    "made with `tether documents publish`; what was published is known everywhere within some seconds."
)
NO_IDS: Final = "This server knows documents by their text alone: send the operation's text as query."
