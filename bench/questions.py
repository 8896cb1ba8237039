"""What is asked in each scenario: requests without end, drawn by the round's number, so that all servers get the same.

Used by `scenarios.py`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from random import Random
from typing import Any

from bench.data import slug
from bench.operations import FILTERED_PAGE, FOLLOWING_PAGE, ONE, PAGE, PAGE_SIZE, RENAME, VIEWER, body, body_by_id
from bench.rounds import Questions
from bench.servers import Server


def pages(
    operation: str, organizations: Sequence[int], *, write: Callable[[str, dict[str, Any]], bytes] = body
) -> Questions:
    """The first page of one of these organizations, drawn anew for each request."""

    def questions(number: int) -> Iterator[bytes]:
        draw = Random(number)
        while True:
            yield write(operation, {"slug": slug(draw.choice(organizations)), "first": PAGE_SIZE})

    return questions


def single_connections(ids: Sequence[str]) -> Questions:
    """One connection by its id."""

    def questions(number: int) -> Iterator[bytes]:
        draw = Random(number)
        while True:
            yield body(ONE, {"id": draw.choice(ids)})

    return questions


def renames(ids: Sequence[str]) -> Questions:
    """A connection gets a name that it hasn't had. No two running requests are about the same one."""
    numbers = count(1)

    def questions(_: int) -> Iterator[bytes]:
        for number in numbers:
            yield body(RENAME, {"id": ids[number % len(ids)], "name": f"Renamed {number}"})

    return questions


def always(
    operation: str, variables: Mapping[str, Any], *, write: Callable[[str, dict[str, Any]], bytes] = body
) -> Questions:
    """One request, again and again."""
    request = write(operation, dict(variables))

    def questions(_: int) -> Iterator[bytes]:
        while True:
            yield request

    return questions


def filtered(**filter_: Any) -> Questions:
    """The page of the connections of the first organization that a filter lets through."""
    return always(FILTERED_PAGE, {"slug": slug(1), "filter": filter_})


def pipeline_questions(organizations: Sequence[int]) -> list[tuple[str, Questions]]:
    """What is nearly all pipeline, and the page, each as text and by the id of a published document."""
    return [
        ("`{ viewer { user { id } } }`, as text", always(VIEWER, {})),
        ("The same, as a trusted document", always(VIEWER, {}, write=body_by_id)),
        ("The page, as text", pages(PAGE, organizations)),
        ("The same, as a trusted document", pages(PAGE, organizations, write=body_by_id)),
    ]


async def page_at(server: Server, number: int) -> Questions:
    """A later page of the first organization, without a count: there by walking, a page of a hundred at a time."""
    cursor: str | None = None
    for _ in range((number - 1) * PAGE_SIZE // 100):
        walked = await server.ask(body(_WALK, {"slug": slug(1), "after": cursor}))
        cursor = json.loads(walked)["data"]["organization"]["connections"]["pageInfo"]["endCursor"]
    return always(FOLLOWING_PAGE, {"slug": slug(1), "first": PAGE_SIZE, "after": cursor})


_WALK = """query Walk($slug: String!, $after: String) {
  organization(by: {slug: $slug}) { connections(first: 100, after: $after) { pageInfo { endCursor } } }
}"""
