"""What GitHub's commands take alike: repositories, branches, numbers and texts; and what becomes of them in paths.

Nothing that these fields let through can leave its place in a path: every segment is checked here and encoded there.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from domain.entities.health import Json
from domain.services.commands import CommandTarget, TargetKind
from domain.services.fields import Text, WholeNumber

REPOSITORY: Final = Text(
    "repository",
    "The repository's full name.",
    example="acme/api",
    required=True,
    max_length=201,
    pattern=r"[A-Za-z0-9_-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}",
    form="a repository's full name: its owner, a slash and its name",
)
TARGET: Final = CommandTarget(TargetKind.REPOSITORY, REPOSITORY.key)

GIT_NAME: Final = r"(?!.*\.\.)[^\s~^:?*\[\\]+"
"""What Git takes for the name of a branch or tag, but for finer points that GitHub tells of itself."""
NUMBER: Final = WholeNumber(
    "number",
    "The number of the issue or pull request, as in #12.",
    minimum=1,
    maximum=(1 << 31) - 1,
    required=True,
    example=12,
)
LONGEST_TITLE: Final = 256
LONGEST_BODY: Final = 65_536


def branch(key: str, description: str, *, required: bool, example: str = "main") -> Text:
    """An argument that names a branch, tag or commit."""
    form = "the name of a branch or tag, or a commit's id"
    return Text(key, description, example=example, required=required, pattern=GIT_NAME, form=form)


def title(description: str) -> Text:
    return Text("title", description, example="Uploads fail", required=True, max_length=LONGEST_TITLE)


def body(description: str, *, required: bool = False) -> Text:
    return Text("body", description, "It worked.", required=required, max_length=LONGEST_BODY, lines=True)


def repository_path(arguments: Mapping[str, Json]) -> str:
    """Where the repository is in the API."""
    return "/repos/" + path_of(REPOSITORY.read(arguments))


def path_of(name: str) -> str:
    """A name with slashes as a part of a path, each segment encoded."""
    return "/".join(quote(segment, safe="") for segment in name.split("/"))


def numbered(event: Mapping[str, Json]) -> int | None:
    """The number of the issue or pull request that an event of GitHub's is about."""
    subject = event.get("subject")
    is_number = isinstance(subject, str) and subject.startswith("#") and subject[1:].isascii() and subject[1:].isdigit()
    return int(subject[1:11]) if is_number and isinstance(subject, str) else None
