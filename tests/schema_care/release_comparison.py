"""How schema.graphql differs from the last release's: what breaks clients, and what may surprise them.

A release is a git tag. GraphQL Inspector compares, by compare.js, which leaves out what was deprecated with a date that
has passed. Used by `python -m tests.schema_care` and by the tests.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from tests.npm import node_with_packages

FOLDER: Final = Path(__file__).parent
SCHEMA: Final = "schema.graphql"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`title` says what was compared, or why nothing was; `changes` are lines by their level."""

    title: str
    changes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def breaks(self) -> bool:
        """Whether clients of the release can't go on as they are."""
        return bool(self.changes.get("breaking"))

    def __str__(self) -> str:
        lines = [f"  {level}: {line}" for level in ("breaking", "dangerous") for line in self.changes.get(level, ())]
        return "\n".join([self.title, *lines])


def compare_with_last_release(project: Path, today: date) -> Comparison:
    """The project's schema against that of the newest tag before what is checked out. Raises NpmError."""
    if not (project / ".git").exists():
        return Comparison("no git repository, so no release to compare with")
    tag = _git(project, "describe", "--tags", "--abbrev=0")
    if tag is None:
        if _git(project, "rev-parse", "--is-shallow-repository") == "true":
            return Comparison(
                "this clone is shallow and has no tags, so nothing was compared: git fetch --unshallow --tags"
            )
        return Comparison("no release yet, nothing to compare")
    before = _git(project, "show", f"{tag}:{SCHEMA}")
    if before is None:
        return Comparison(f"{tag} has no {SCHEMA}, nothing to compare")
    changes = _changes(before, (project / SCHEMA).read_text("utf-8"), today)
    counts = ", ".join(f"{len(lines)} {level}" for level, lines in changes.items() if lines)
    return Comparison(f"against {tag}: {counts or 'no changes'}", changes)


def _changes(before: str, after: str, today: date) -> dict[str, list[str]]:
    done = subprocess.run(  # noqa: S603 - our own
        [node_with_packages(FOLDER), "compare.js"],
        cwd=FOLDER,
        input=json.dumps({"before": before, "after": after, "today": today.isoformat()}),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the schemas can't be compared: {done.stderr}")
    found: dict[str, list[str]] = {"breaking": [], "dangerous": [], "safe": []}
    for change in json.loads(done.stdout):
        found[change["level"]].append(change["message"])
    return found


def _git(project: Path, *arguments: str) -> str | None:
    """What it says; None where there is no such thing."""
    # Whoever owns the clone: continuous integration often runs as another user.
    command = ["git", "-c", "safe.directory=*", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)  # noqa: S603 - our own
    return done.stdout.strip() if done.returncode == 0 else None
