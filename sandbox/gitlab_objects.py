"""GitLab's JSON of users, tokens and projects, for gitlab.py."""

from datetime import datetime

from sandbox.person_tokens import GitLabProject, GitLabToken, Person

Json = dict[str, object]


def user_json(person: Person, web: str) -> Json:
    return {
        "id": person.id,
        "username": person.username,
        "name": person.name,
        "state": "active",
        "locked": False,
        "avatar_url": f"{web}/avatars/{person.id}",
        "web_url": f"{web}/{person.username}",
        "created_at": "2019-03-04T08:00:00.000Z",
        "bot": False,
        "two_factor_enabled": True,
        "external": False,
    }


def token_json(token: GitLabToken) -> Json:
    """A personal access token ends at a day, not at a moment."""
    return {
        "id": 42,
        "name": "Tether",
        "revoked": False,
        "created_at": "2026-01-02T03:04:05.000Z",
        "scopes": list(token.scopes or ()),
        "user_id": token.account.id,
        "active": True,
        "expires_at": None if token.expires_at is None else f"{token.expires_at:%Y-%m-%d}",
    }


def token_info_json(token: GitLabToken, now: datetime) -> Json:
    """What OAuth says of an access token, with the older names of two fields, as GitLab has them."""
    seconds = None if token.expires_at is None else int((token.expires_at - now).total_seconds())
    return {
        "resource_owner_id": token.account.id,
        "scope": list(token.scopes or ()),
        "expires_in": seconds,
        "application": {"uid": token.client_id},
        "created_at": int(now.timestamp()),
        "scopes": list(token.scopes or ()),
        "expires_in_seconds": seconds,
    }


def project_json(project: GitLabProject, web: str) -> Json:
    namespace, _, name = project.path.rpartition("/")
    return {
        "id": project.id,
        "description": f"The {name} of {namespace}",
        "name": name,
        "name_with_namespace": project.path.replace("/", " / "),
        "path": name,
        "path_with_namespace": project.path,
        "created_at": "2020-05-06T07:08:09.000Z",
        "default_branch": project.default_branch,
        "ssh_url_to_repo": f"git@gitlab.example:{project.path}.git",
        "http_url_to_repo": f"{web}/{project.path}.git",
        "web_url": f"{web}/{project.path}",
        "namespace": {"id": 31, "name": namespace, "path": namespace, "kind": "group", "full_path": namespace},
        "visibility": "private" if project.private else "public",
        "archived": project.archived,
        "star_count": 0,
        "forks_count": 0,
        "last_activity_at": "2026-11-01T10:00:00.000Z",
    }
