"""GitHub's OAuth scopes, as classic personal access tokens carry them, and which of them contain which."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from domain.services.base import ServiceScope

SCOPES: Final[Sequence[ServiceScope]] = (
    ServiceScope("repo", "Read and write public and private repositories.", required=True),
    ServiceScope("public_repo", "Read and write public repositories."),
    ServiceScope("repo:status", "Read and write commit statuses."),
    ServiceScope("repo_deployment", "Read and write deployment statuses."),
    ServiceScope("repo:invite", "Accept and decline invitations to repositories."),
    ServiceScope("security_events", "Read and write code scanning and other security events."),
    ServiceScope("workflow", "Add and change workflows of GitHub Actions."),
    ServiceScope("admin:repo_hook", "Manage webhooks of repositories."),
    ServiceScope("write:repo_hook", "Read, create and ping webhooks of repositories."),
    ServiceScope("read:repo_hook", "Read webhooks of repositories."),
    ServiceScope("admin:org", "Manage organizations, their teams and members."),
    ServiceScope("write:org", "Change membership in organizations and their projects."),
    ServiceScope("read:org", "Read membership in organizations, their teams and projects."),
    ServiceScope("admin:org_hook", "Manage webhooks of organizations."),
    ServiceScope("user", "Read and change the profile."),
    ServiceScope("read:user", "Read the profile."),
    ServiceScope("user:email", "Read e-mail addresses."),
    ServiceScope("user:follow", "Follow and unfollow people."),
    ServiceScope("project", "Read and write projects."),
    ServiceScope("read:project", "Read projects."),
    ServiceScope("write:packages", "Publish packages."),
    ServiceScope("read:packages", "Download packages."),
    ServiceScope("delete:packages", "Delete packages."),
    ServiceScope("delete_repo", "Delete repositories."),
    ServiceScope("notifications", "Read notifications and mark them as read."),
    ServiceScope("gist", "Write gists."),
)


def covered_by(granted: Iterable[str]) -> set[str]:
    """What these scopes allow: themselves and, all the way down, those that they contain."""
    covered: set[str] = set()
    waiting = list(granted)
    while waiting:
        scope = waiting.pop()
        if scope not in covered:
            covered.add(scope)
            waiting.extend(_CONTAINS.get(scope, ()))
    return covered


_CONTAINS: Final[Mapping[str, Sequence[str]]] = {
    "repo": ("public_repo", "repo:status", "repo_deployment", "repo:invite", "security_events"),
    "admin:repo_hook": ("write:repo_hook",),
    "write:repo_hook": ("read:repo_hook",),
    "admin:org": ("write:org",),
    "write:org": ("read:org",),
    "user": ("read:user", "user:email", "user:follow"),
    "project": ("read:project",),
    "write:packages": ("read:packages",),
}
