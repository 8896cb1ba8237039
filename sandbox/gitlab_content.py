"""What is in the projects of the simulated GitLab, and what callers have put there. Kept in state.py.

A project is the same for every token that sees it. It begins with a README, a picture, two branches and one issue.
"""

from dataclasses import dataclass, field

Json = dict[str, object]

PICTURE = bytes.fromhex("89504e470d0a1a0a0000000d49484452")


@dataclass(slots=True)
class ProjectContent:
    """`issues` and so on: as their makers were answered, with what they had asked for."""

    files: dict[str, bytes]
    branches: list[str]
    issues: list[Json]
    notes: list[Json] = field(default_factory=list)
    merge_requests: list[Json] = field(default_factory=list)
    pipelines: list[Json] = field(default_factory=list)
    has_pipelines: bool = True
    """Whether there is a configuration for them."""


class GitLabContents:
    def __init__(self) -> None:
        self._by_path: dict[str, ProjectContent] = {}

    def of(self, path: str, default_branch: str = "main") -> ProjectContent:
        """That of a project; paths are the same in upper and lower case."""
        name = path.rpartition("/")[2]
        return self._by_path.setdefault(
            path.lower(),
            ProjectContent(
                files={"README.md": f"# {name}\n".encode(), "docs/logo.png": PICTURE},
                branches=[default_branch, "fix-uploads"],
                issues=[{"iid": 1, "title": f"Welcome to {name}"}],
            ),
        )
