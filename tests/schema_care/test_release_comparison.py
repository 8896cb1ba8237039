"""What may change after a release: shown on repositories that are made for it, with tags, without, and shallow."""

import subprocess
from datetime import date
from pathlib import Path

import pytest

from tests.schema_care.release_comparison import Comparison, compare_with_last_release

TODAY = date(2027, 3, 1)
RELEASED = '''
directive @oneOf on INPUT_OBJECT

type Query {
  person(id: ID!, by: String): Person
  people(first: Int = 10): [Person!]!
  legacy: Old @deprecated(reason: "Use `people`. Goes on 2027-02-28.")
}

type Person {
  id: ID!
  name: String!
  """Deprecated, and still to be there."""
  nick: String @deprecated(reason: "Use `name`. Goes on 2027-03-02.")
  fullName: String @deprecated(reason: "Use `name`. Goes on 2027-03-01.")
  mood: Mood
}

enum Mood {
  GOOD
  BAD
  SOSO @deprecated(reason: "Use BAD. Goes on 2027-01-31.")
}

type Old {
  id: ID!
  older: Older
}

type Older {
  id: ID!
}
'''


class Repository:
    """A git repository with a schema in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit(RELEASED)

    def git(self, *arguments: str) -> None:
        name = ["-c", "user.name=Ada", "-c", "user.email=ada@acme.example", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *name, *arguments], cwd=self.folder, check=True, capture_output=True)  # noqa: S603, S607

    def commit(self, schema: str) -> None:
        (self.folder / "schema.graphql").write_text(schema, "utf-8")
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message=Change it")

    def compared(self, schema: str | None = None) -> Comparison:
        """With a schema that isn't even committed."""
        if schema is not None:
            (self.folder / "schema.graphql").write_text(schema, "utf-8")
        return compare_with_last_release(self.folder, TODAY)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.fixture
def released(repository: Repository) -> Repository:
    repository.git("tag", "v1.0.0")
    return repository


def test_without_a_release_there_is_nothing_to_compare(repository: Repository, tmp_path: Path) -> None:
    told = repository.compared(RELEASED.replace("name: String!", ""))
    assert (str(told), told.breaks) == ("no release yet, nothing to compare", False)

    plain = tmp_path / "plain"
    plain.mkdir()
    assert not compare_with_last_release(plain, TODAY).breaks


def test_a_shallow_clone_without_tags_says_so(released: Repository, tmp_path: Path) -> None:
    released.commit(RELEASED)
    clone = tmp_path / "clone"
    released.git("clone", "--quiet", "--depth=1", "--no-tags", f"file://{released.folder}", str(clone))

    told = compare_with_last_release(clone, TODAY)

    assert not told.breaks
    assert "shallow" in str(told)


def test_a_tag_from_before_the_schema_is_no_release_of_it(repository: Repository) -> None:
    (repository.folder / "schema.graphql").unlink()
    repository.git("rm", "--cached", "schema.graphql")
    repository.git("commit", "--message=Without")
    repository.git("tag", "v0.0.1")
    assert str(repository.compared(RELEASED)) == "v0.0.1 has no schema.graphql, nothing to compare"


def test_what_is_added_or_described_breaks_nobody(released: Repository) -> None:
    assert str(released.compared()) == "against v1.0.0: no changes"
    told = released.compared(RELEASED.replace("mood: Mood", "mood: Mood\n  born: String"))
    assert (str(told), told.breaks) == ("against v1.0.0: 1 safe", False)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("  name: String!\n", "", "Field 'name' was removed from object type 'Person'"),
        ("name: String!", "name: String", "Field 'Person.name' changed type from 'String!' to 'String'"),
        (
            "by: String)",
            "by: String!)",
            "Type for argument 'by' on field 'Query.person' changed from 'String' to 'String!'",
        ),
        ("  BAD\n", "", "Enum value 'BAD' was removed from enum 'Mood'"),
        (
            '  nick: String @deprecated(reason: "Use `name`. Goes on 2027-03-02.")\n',
            "",
            "Field 'nick' (deprecated) was removed from object type 'Person'",
        ),
    ],
)
def test_what_breaks_clients_is_told_and_fails(released: Repository, before: str, after: str, says: str) -> None:
    """Also in a later commit; and so does what was deprecated but isn't due."""
    assert before in RELEASED
    released.commit(RELEASED.replace(before, after))

    told = released.compared()

    assert told.breaks
    assert str(told).splitlines() == ["against v1.0.0: 1 breaking", f"  breaking: {says}"]


def test_what_may_surprise_clients_is_told_and_does_not_fail(released: Repository) -> None:
    told = released.compared(RELEASED.replace("  BAD\n", "  BAD\n  GREAT\n").replace("Int = 10", "Int = 20"))

    assert not told.breaks
    assert str(told).splitlines()[0] == "against v1.0.0: 2 dangerous"
    assert "Enum value 'GREAT' was added to enum 'Mood'" in str(told)


def test_what_was_announced_for_a_day_that_has_come_may_go(released: Repository) -> None:
    """A field, an enum value, and the types that only an announced field led to."""
    gone = RELEASED.partition("type Old ")[0]
    for line in RELEASED.splitlines():
        if "2027-03-01." in line or "2027-02-28." in line or "2027-01-31." in line:
            gone = gone.replace(f"{line}\n", "")
    assert gone.count("@deprecated") == 1

    told = released.compared(gone)

    assert (str(told), told.breaks) == ("against v1.0.0: no changes", False)


def test_the_newest_release_counts(released: Repository) -> None:
    released.commit(RELEASED.replace("mood: Mood", "mood: Mood\n  born: String"))
    released.git("tag", "--annotate", "--message=next", "v1.1.0")
    assert str(released.compared(RELEASED)).splitlines() == [
        "against v1.1.0: 1 breaking",
        "  breaking: Field 'born' was removed from object type 'Person'",
    ]
