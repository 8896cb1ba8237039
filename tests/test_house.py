"""Rules of the house that neither the import contracts nor a linter can hold."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("domain", "gql", "persistence", "sandbox")
OUTSIDE_PERSISTENCE = ("domain", "gql", "sandbox")
SQL = re.compile(
    r"\s*(select\s.+\sfrom\s|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s*\(|"
    r"(create|alter|drop)\s+(table|index)\s|pragma\s)",
    re.IGNORECASE | re.DOTALL,
)
DRIVERS = {"aiosqlite", "alembic", "asyncpg", "sqlalchemy", "sqlite3"}


def _sources(rooms: tuple[str, ...]) -> Iterator[Path]:
    for room in rooms:
        yield from sorted((ROOT / room).rglob("*.py"))


def test_only_the_unit_of_work_commits() -> None:
    """Everyone else asks their `unit` to."""
    committing = [
        str(file.relative_to(ROOT))
        for file in _sources(ROOMS)
        if re.search(r"(?<!\bunit)\.commit\(", file.read_text("utf-8"))
    ]
    assert committing == ["persistence/unit_of_work.py"]
    asking = [file for file in _sources(("persistence",)) if "unit.commit(" in file.read_text("utf-8")]
    assert asking == []


@pytest.mark.parametrize("file", list(_sources(OUTSIDE_PERSISTENCE)), ids=lambda file: str(file.relative_to(ROOT)))
def test_sql_and_drivers_stay_in_persistence(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    assert [text for text in _texts(tree) if SQL.match(text)] == []
    assert _imported(tree) & DRIVERS == set()


@pytest.mark.parametrize(
    ("text", "is_sql"),
    [
        ("select id from users where 1", True),
        ("  INSERT INTO users VALUES (1)", True),
        ("Update users set name = 1", True),
        ("DELETE FROM users", True),
        ("PRAGMA foreign_keys", True),
        ("WITH some AS (SELECT 1)", True),
        ("Select a connection.", False),
        ("Updated from the service.", False),
    ],
)
def test_sql_is_told_from_prose(text: str, is_sql: bool) -> None:
    assert bool(SQL.match(text)) is is_sql


def _texts(tree: ast.Module) -> Iterator[str]:
    """The string literals of a file, f-strings by their literal beginning, docstrings left out."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def _imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module.partition(".")[0])
    return names
