"""What is in the repositories of the simulated GitHub, and what callers have put there. Kept in state.py.

A repository is the same for every token that sees it. It begins with a README, a picture, two branches, two workflows
and one issue.
"""

from dataclasses import dataclass, field

Json = dict[str, object]

PICTURE = bytes.fromhex("89504e470d0a1a0a0000000d49484452")


@dataclass(slots=True)
class RepositoryContent:
    """`workflows`: the inputs that each takes; None for one that can't be dispatched. `numbers` counts issues and
    pull requests, as GitHub does. `issues` and so on: as their makers were answered, with what they had asked for.
    """

    name: str
    files: dict[str, bytes]
    branches: list[str]
    workflows: dict[str, list[str] | None]
    issues: list[Json] = field(default_factory=list)
    comments: list[Json] = field(default_factory=list)
    pulls: list[Json] = field(default_factory=list)
    dispatches: list[Json] = field(default_factory=list)
    locked: list[int] = field(default_factory=list)
    has_issues: bool = True
    tells_runs: bool = True
    """Whether a dispatch says its run to who asks, as github.com does and older Enterprise Servers don't."""
    moved: bool = False
    hurried: bool = False
    """Whether GitHub finds that what is written here comes too fast, whatever the quota says."""

    def has_number(self, number: int) -> bool:
        """Whether an issue or pull request has it."""
        return 0 < number <= len(self.issues) + len(self.pulls)

    def next_number(self) -> int:
        return len(self.issues) + len(self.pulls) + 1


class GitHubContents:
    def __init__(self) -> None:
        self._by_name: dict[str, RepositoryContent] = {}

    def of(self, full_name: str, default_branch: str = "main") -> RepositoryContent:
        """That of a repository; names are the same in upper and lower case."""
        if full_name.lower() not in self._by_name:
            name = full_name.partition("/")[2]
            self._by_name[full_name.lower()] = RepositoryContent(
                full_name,
                files={"README.md": f"# {name}\n".encode(), "docs/logo.png": PICTURE},
                branches=[default_branch, "fix-uploads"],
                workflows={"deploy.yml": ["environment"], "test.yml": None},
                issues=[{"number": 1, "title": f"Welcome to {name}"}],
            )
        return self._by_name[full_name.lower()]
