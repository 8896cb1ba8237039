"""Manifests: the documents of a client, as its build has written them to a file. Read by `tether documents publish`.

Nothing of one is published unless all of it can be: `OperatorError` tells all that is wrong, a document a line.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from graphql import GraphQLError, OperationDefinitionNode

from domain.entities.trusted_document import ID_FORM, hash_of, id_of_text, parse_document_id
from gql.operator_error import OperatorError
from gql.schema import TetherSchema

APOLLO: Final = "apollo-persisted-query-manifest"


def read_manifest(content: bytes, schema: TetherSchema) -> list[tuple[str, str, str]]:
    """The id, the text and the name of each document, all of them valid. Raises OperatorError."""
    manifest, problems = _Documents(schema), list[str]()
    for written_id, text in _entries(_json(content)):
        try:
            manifest.add(written_id, text)
        except ValueError as wrong:
            problems.append(f"{_shown(written_id)}: {wrong}")
    if problems:
        raise OperatorError(*problems, "Nothing was published.")
    return manifest.read


class _Documents:
    """Those that were read so far and are as they have to be."""

    def __init__(self, schema: TetherSchema) -> None:
        self._schema = schema
        self._texts: dict[str, str] = {}
        self.read: list[tuple[str, str, str]] = []

    def add(self, written_id: object, text: object) -> None:
        """Raises ValueError with words for the operator."""
        if not isinstance(written_id, str) or (document_id := parse_document_id(written_id)) is None:
            raise ValueError(ID_FORM)
        if not isinstance(text, str) or "\0" in text or not _is_unicode(text):
            raise ValueError("A document is a text.")
        if hash_of(document_id) is not None and document_id != id_of_text(text):
            raise ValueError("This isn't the SHA-256 of the text. Was the file changed since it was written?")
        if document_id not in self._texts:
            self._texts[document_id] = text
            self.read.append((document_id, text, self._name(text)))
        elif self._texts[document_id] != text:
            raise ValueError("The id stands there twice, with different texts.")

    def _name(self, text: str) -> str:
        try:
            definitions = self._schema.validated(text).definitions
        except GraphQLError as error:
            raise ValueError(_described(error)) from None
        operations = [each for each in definitions if isinstance(each, OperationDefinitionNode)]
        if not operations:
            raise ValueError("It has no operation.")
        return ", ".join(each.name.value for each in operations if each.name is not None)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise OperatorError(f"The file isn't JSON in UTF-8. {_FORMS}") from None


def _object(members: list[tuple[str, Any]]) -> dict[str, Any] | list[tuple[str, Any]]:
    """A list where a member stands there twice, so that both are looked at."""
    made = dict(members)
    return made if len(made) == len(members) else members


def _entries(manifest: Any) -> Iterator[tuple[object, object]]:
    """Ids and texts, of whatever type they are. Raises OperatorError."""
    if isinstance(manifest, dict) and manifest.get("format") == APOLLO:
        operations = manifest.get("operations")
        if manifest.get("version") != 1 or not isinstance(operations, list):
            raise OperatorError(f"The file says that it is an {APOLLO}, but it isn't one of version 1.")
        entries = [
            (each.get("id"), each.get("body")) if isinstance(each, Mapping) else (None, None) for each in operations
        ]
    elif isinstance(manifest, dict):
        entries = list(manifest.items())
    elif isinstance(manifest, list) and all(isinstance(each, tuple) for each in manifest):
        entries = manifest
    else:
        raise OperatorError(f"The file isn't a manifest. {_FORMS}")
    if not entries:
        raise OperatorError("The manifest has no document. Did the build find the client's operations?")
    return iter(entries)


def _described(error: GraphQLError) -> str:
    place = f" (line {error.locations[0].line})" if error.locations else ""
    return f"{error.message}{place}"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(written_id: object) -> str:
    """Of an id that may be anything, what a line has room for."""
    text = written_id if isinstance(written_id, str) else repr(written_id)
    return ascii(text[:_SHOWN])[1:-1] or "(no id)"


_SHOWN: Final = 100
_FORMS: Final = (
    "A manifest is an object of texts by their ids, as graphql-codegen and relay-compiler write it, or an "
    f"{APOLLO} of version 1."
)
