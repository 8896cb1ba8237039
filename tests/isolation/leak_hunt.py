"""A hunt for leaks: operations made up from the schema, asked by everybody with ids and cursors of everybody.

`python -m tests.isolation.leak_hunt --operations 50000` hunts on both databases, and tells what it did. The tests do
the same, with fewer. Whatever an answer tells of an organization that isn't the caller's is a leak, and so is each row
of one that a mutation changes.
"""

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
)

from persistence import migrations
from tests.documents.data import store
from tests.documents.generator import generate
from tests.documents.query import Query
from tests.documents.reading import Answer
from tests.documents.values import Values
from tests.isolation.commands import KINDS, MUTATIONS, ids_of, mutation, nobodys
from tests.isolation.harness import Caller, Harness, harness
from tests.isolation.two_organizations import TWO, TwoOrganizations, make_two_organizations
from tests.postgresql import PostgresqlServer, running_postgresql

_EACH: Final = 8
"""How often a generated query is asked, by another caller or with other cursors each time."""
_ONE_IN: Final = 10
"""Of the operations one in this many is a mutation."""
_CURSORS_KEPT: Final = 2_000
_CURSOR: Final = re.compile(r'"cursor":"([^"]+)"')


@dataclass(slots=True)
class Report:
    """What was asked, and what came of it. `telling`: answers that told of an organization what the caller may know."""

    queries: int = 0
    mutations: int = 0
    documents: int = 0
    foreign_cursors: int = 0
    telling: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)

    @property
    def operations(self) -> int:
        return self.queries + self.mutations

    def __str__(self) -> str:
        errors = ", ".join(f"{code} {count}" for code, count in self.errors.most_common())
        return (
            f"{self.operations} operations: {self.queries} queries of {self.documents} documents, "
            f"{self.foreign_cursors} with another's cursor, and {self.mutations} mutations; "
            f"{self.telling} told of the caller's own organizations; errors: {errors}; {len(self.leaks)} leaks"
        )


class Hunt:
    """One hunt on one database. The same seed asks the same."""

    def __init__(self, asking: Harness, seed: int) -> None:
        self._asking = asking
        self._chance = random.Random(seed)  # noqa: S311 - draws, not secrets
        self._values = Values(asking.two.world)
        self._cursors: list[str] = []
        self.report = Report()

    async def run(self, operations: int) -> Report:
        """At least so many."""
        mutations = operations // _ONE_IN
        while self.report.queries < operations - mutations:
            await self._ask()
        for number, slug in enumerate(TWO):
            await self._command(slug, mutations // 2 + number * (mutations % 2))
        return self.report

    async def _ask(self) -> None:
        query = generate(self._asking.walk.schema, self._values, self._chance.getrandbits(48))
        self.report.documents += 1
        variables: Mapping[str, Any] = query.variables
        for _ in range(_EACH):
            caller = self._chance.choice(self._asking.callers)
            answer = await self._asking.ask(query.text, caller, variables)
            self.report.queries += 1
            self._judge(query.text, caller, variables, answer)
            self._keep_cursors(answer)
            variables = self._going_on(query, answer)

    def _going_on(self, query: Query, answer: Answer) -> Mapping[str, Any]:
        """With cursors of what was just answered, or of what others were."""
        if self._cursors and query.lists and self._chance.random() < 0.5:
            self.report.foreign_cursors += 1
            names = [name for one in query.lists for name in (one.after, one.before) if name is not None]
            return {**query.variables, **{name: self._chance.choice(self._cursors) for name in names}}
        return query.going_on(answer.value, self._chance) or query.variables

    def _keep_cursors(self, answer: Answer) -> None:
        for cursor in _CURSOR.findall(answer.data.decode())[:3]:
            if len(self._cursors) < _CURSORS_KEPT:
                self._cursors.append(cursor)
            else:
                self._cursors[self._chance.randrange(_CURSORS_KEPT)] = cursor

    async def _command(self, slug: str, mutations: int) -> None:
        """Mutations by all who don't belong to an organization; nothing of it may change."""
        before = await self._asking.rows(slug)
        texts = {name: mutation(self._asking.walk, name)[0] for name in MUTATIONS}
        types = self._asking.walk.schema.mutation_type
        assert types is not None
        for _ in range(mutations):
            name, caller = self._chance.choice(list(texts)), self._chance.choice(self._asking.outside(slug))
            given = self._value("input", types.fields[name].args["input"].type, slug)
            answer = await self._asking.ask(texts[name], caller, {"input": given})
            self.report.mutations += 1
            self._judge(texts[name], caller, given, answer)
        for table, rows in (await self._asking.rows(slug)).items():
            if rows != before[table]:
                self.report.leaks.append(f"{table} of {slug} was changed by others")

    def _judge(self, text: str, caller: Caller, variables: Mapping[str, Any], answer: Answer) -> None:
        self.report.errors.update(error["extensions"]["code"] for error in answer.errors)
        self.report.telling += b"canary-of-" in answer.data
        leaked = self._asking.leaks(answer, caller, {"text": text, **variables})
        if leaked:
            self.report.leaks.append(f"{caller} was told {sorted(leaked)[:3]} by {text} with {variables}")

    def _value(self, name: str, type_: GraphQLInputType, slug: str) -> Any:
        """A value for a member of an input; ids are mostly of the organization that isn't the caller's."""
        inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if isinstance(inner, GraphQLInputObjectType):
            members = {key: one.type for key, one in inner.fields.items()}
            if inner.is_one_of:
                key = self._chance.choice(list(members))
                return {key: self._value(key, GraphQLNonNull(members[key]), slug)}
            return {
                key: self._value(key, one, slug)
                for key, one in members.items()
                if isinstance(one, GraphQLNonNull) or self._chance.random() < 0.3
            }
        if isinstance(inner, GraphQLList):
            return [self._value(name, inner.of_type, slug)]
        if isinstance(inner, GraphQLEnumType):
            return self._chance.choice(list(inner.values))
        if inner is GraphQLBoolean:
            return self._chance.random() < 0.5
        if inner is GraphQLInt:
            return self._chance.choice([1, 2, 3, 60, 300])
        return self._plain(name, inner.name, slug)

    def _plain(self, name: str, type_name: str, slug: str) -> Any:
        if name == "service":
            return self._chance.choice(["github", "slack"])
        if type_name == "ID":
            kind = next((kind for kind in KINDS if name.lower().startswith(kind)), self._chance.choice(list(KINDS)))
            whose = self._chance.choice([slug, slug, slug, slug, *TWO, "initech"])
            return self._chance.choice([*ids_of(self._asking.two, whose, kind), nobodys(kind)])
        if type_name == "JSON":
            return self._chance.choice([{}, {"team": "platform"}])
        return self._chance.choice(["Octo", "x", "new-here", "guest@example.org", f"key-{self._chance.randrange(50)}"])


async def hunt(database_url: str, two: TwoOrganizations, operations: int, seed: int) -> Report:
    """On a database in which the two organizations are stored."""
    async with harness(database_url, two) as asking:
        return await Hunt(asking, seed).run(operations)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.isolation.leak_hunt", description=__doc__)
    parser.add_argument("--operations", type=int, default=50_000, help="on each database (50000)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32), help="to ask the same again")
    asked = parser.parse_args(arguments)
    two, leaks = make_two_organizations(), 0
    with tempfile.TemporaryDirectory() as folder, running_postgresql() as server:
        for name, url in {"PostgreSQL": _new(server), "SQLite": f"sqlite+aiosqlite:///{Path(folder)}/two.db"}.items():
            migrations.upgrade(url)
            asyncio.run(store(two.world, url))
            began = time.monotonic()
            report = asyncio.run(hunt(url, two, asked.operations, asked.seed))
            took = time.monotonic() - began
            sys.stdout.write(f"{name}, seed {asked.seed}, {took:.0f} s: {report}\n")
            sys.stdout.writelines(f"  {leak}\n" for leak in report.leaks[:20])
            sys.stdout.flush()
            leaks += len(report.leaks)
    return min(leaks, 1)


def _new(server: PostgresqlServer) -> str:
    return server.url(server.create_database())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
