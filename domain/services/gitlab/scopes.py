"""GitLab's scopes, as personal access tokens and OAuth grants carry them, and which of them contain which."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from domain.services.base import ServiceScope

SCOPES: Final[Sequence[ServiceScope]] = (
    ServiceScope("read_api", "Read everything that the account can read through the API.", required=True),
    ServiceScope("api", "Read and change everything that the account can, through the API."),
    ServiceScope("read_user", "Read the profile."),
    ServiceScope("read_repository", "Read the files and the history of private projects."),
    ServiceScope("write_repository", "Push to projects."),
    ServiceScope("read_registry", "Pull images from the container registries of private projects."),
    ServiceScope("write_registry", "Push images to container registries."),
    ServiceScope("create_runner", "Create runners."),
    ServiceScope("manage_runner", "Change and delete runners."),
    ServiceScope("ai_features", "Use GitLab Duo."),
    ServiceScope("k8s_proxy", "Call the Kubernetes API through the GitLab agent."),
    ServiceScope("self_rotate", "Rotate the token itself."),
    ServiceScope("sudo", "Act as any user, where the account is an administrator's."),
    ServiceScope("admin_mode", "Act as an administrator where the admin mode is on."),
    ServiceScope("openid", "Sign in with GitLab."),
    ServiceScope("profile", "Read the name and the picture for signing in."),
    ServiceScope("email", "Read the e-mail address for signing in."),
)


def covered_by(granted: Collection[str]) -> set[str]:
    """What these scopes allow: themselves and those that they contain."""
    return {*granted, *(inner for scope in granted for inner in _CONTAINS.get(scope, ()))}


_CONTAINS: Final[Mapping[str, Sequence[str]]] = {
    "api": ("read_api", "read_user", "read_repository", "write_repository", "read_registry", "write_registry"),
    "read_api": ("read_user",),
    "write_repository": ("read_repository",),
}
