"""`tether documents`: publish the documents of a client's build, list them, and retire those that nobody needs."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from domain.entities.trusted_document import ID_FORM, TrustedDocument, parse_document_id
from domain.trusted_documents import TrustedDocuments
from gql.bootstrap import running
from gql.document_manifest import read_manifest
from gql.operator_error import OperatorError
from gql.schema import build_schema
from gql.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    for line in asyncio.run(_run(arguments)):
        sys.stdout.write(line + "\n")
    return 0


async def _run(arguments: argparse.Namespace) -> list[str]:
    settings = Settings.from_environment(os.environ)
    if arguments.action == "publish":
        documents = read_manifest(_content(arguments.file), build_schema(settings.limits))
        async with running(settings) as tether:
            return [await _publish(tether.trusted_documents, documents)]
    unused_for = None if arguments.unused_for is None else timedelta(days=arguments.unused_for)
    async with running(settings) as tether:
        if arguments.action == "list":
            return [_line(each) for each in await tether.trusted_documents.list(unused_for=unused_for)]
        return await _retire(tether.trusted_documents, arguments.ids, unused_for)


async def _publish(trusted: TrustedDocuments, documents: list[tuple[str, str, str]]) -> str:
    publication = await trusted.publish(documents)
    return f"Published {len(documents)}: {publication.new} new, {publication.known} known."


async def _retire(trusted: TrustedDocuments, written_ids: list[str], unused_for: timedelta | None) -> list[str]:
    if unused_for is None:
        retired = await trusted.retire(list(_ids(written_ids)))
    else:
        retired = await trusted.retire_unused(unused_for)
    return [*retired, f"Retired {len(retired)}."]


def _ids(written_ids: list[str]) -> Iterator[str]:
    for written in written_ids:
        document_id = parse_document_id(written)
        if document_id is None:
            raise OperatorError(f"{written[:100]!r} is no id. {ID_FORM}")
        yield document_id


def _content(file: str) -> bytes:
    """`-`: standard input."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as failed:
        raise OperatorError(f"The file {file} can't be read: {failed.strerror}.") from None


def _line(document: TrustedDocument) -> str:
    """The id first, and no other blank before its end, for scripts."""
    used = "not used yet" if document.used_at is None else f"used {_moment(document.used_at)}"
    return f"{document.id}  {document.name or '(no name)'}, published {_moment(document.published_at)}, {used}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
