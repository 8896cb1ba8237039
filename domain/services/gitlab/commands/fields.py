"""What GitLab's commands take alike: projects, branches, numbers and texts; and what becomes of them in paths.

GitLab takes a project's path, and a file's, as one segment of an address, in which slashes are encoded.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from domain.entities.health import Json
from domain.services.commands import CommandTarget, TargetKind
from domain.services.fields import Text, WholeNumber

_SEGMENT: Final = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9_.][A-Za-z0-9_.-]*"
PROJECT: Final = Text(
    "project",
    "The project's full path.",
    example="acme/api",
    required=True,
    max_length=1024,
    pattern=rf"{_SEGMENT}(?:/{_SEGMENT})+",
    form="a project's full path: its groups and its name, with slashes between",
)
TARGET: Final = CommandTarget(TargetKind.REPOSITORY, PROJECT.key)
NUMBER: Final = WholeNumber(
    "number",
    "The number of the issue or merge request, as in #12 and !12.",
    minimum=1,
    maximum=(1 << 31) - 1,
    required=True,
    example=12,
)
LONGEST_TITLE: Final = 255
LONGEST_TEXT: Final = 65_536
"""GitLab takes up to a megabyte; what people write and read is shorter, and every run keeps its arguments."""


def branch(key: str, description: str, *, required: bool, example: str = "main") -> Text:
    """An argument that names a branch, tag or commit."""
    pattern = r"(?!.*\.\.)[^\s~^:?*\[\\]+"
    form = "the name of a branch or tag, or a commit's id"
    return Text(key, description, example=example, required=required, pattern=pattern, form=form)


def title(description: str, *, max_length: int = LONGEST_TITLE) -> Text:
    return Text("title", description, example="Uploads fail", required=True, max_length=max_length)


def text(key: str, description: str, *, required: bool = False) -> Text:
    """Lines that begin with a slash are quick actions, which GitLab does with the account's rights."""
    about = f"{description} GitLab does what lines say that begin with a slash (quick actions)."
    return Text(key, about, "It worked.", required=required, max_length=LONGEST_TEXT, lines=True)


def project_path(arguments: Mapping[str, Json]) -> str:
    """Where the project is in the API."""
    return f"/projects/{segment(PROJECT.read(arguments))}"


def segment(name: str) -> str:
    """A name as one segment of an address, whatever is in it."""
    return quote(name, safe="")


def result_number(description: str) -> WholeNumber:
    return WholeNumber("number", description, 1, (1 << 53) - 1, required=True, example=12)
