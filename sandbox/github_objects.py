"""GitHub's JSON of users, repositories and quotas, for github.py."""

from base64 import b64encode

from sandbox.github_apps import EVENTS, Installation
from sandbox.tokens import GitHubAccount, GitHubRepository, GitHubToken, Quota

Json = dict[str, object]


def root_json(api: str) -> Json:
    return {
        "current_user_url": f"{api}/user",
        "current_user_repositories_url": f"{api}/user/repos{{?type,page,per_page,sort}}",
        "rate_limit_url": f"{api}/rate_limit",
        "user_url": f"{api}/users/{{user}}",
        "repository_url": f"{api}/repos/{{owner}}/{{repo}}",
    }


def user_json(token: GitHubToken, web: str, api: str) -> Json:
    """The authenticated user; `web` and `api` are the services' addresses without a final slash."""
    visible = [repository for repository in token.repositories if token.sees(repository)]
    return account_json(token.account, web, api) | {
        "name": token.account.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "twitter_username": None,
        "public_repos": sum(not repository.private for repository in visible),
        "public_gists": 0,
        "followers": 20,
        "following": 0,
        "created_at": "2011-01-25T18:44:36Z",
        "updated_at": "2026-11-01T09:30:00Z",
    }


def account_json(account: GitHubAccount, web: str, api: str) -> Json:
    """The short form of a user or organization, as it stands in other objects."""
    user = f"{api}/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": _node_id("User", account.id),
        "avatar_url": f"{web}/avatars/u/{account.id}?v=4",
        "gravatar_id": "",
        "url": user,
        "html_url": f"{web}/{account.login}",
        "followers_url": f"{user}/followers",
        "following_url": f"{user}/following{{/other_user}}",
        "gists_url": f"{user}/gists{{/gist_id}}",
        "starred_url": f"{user}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{user}/subscriptions",
        "organizations_url": f"{user}/orgs",
        "repos_url": f"{user}/repos",
        "events_url": f"{user}/events{{/privacy}}",
        "received_events_url": f"{user}/received_events",
        "type": account.type,
        "user_view_type": "public",
        "site_admin": False,
    }


def repository_json(repository: GitHubRepository, owner: GitHubAccount, web: str, api: str) -> Json:
    full_name = f"{owner.login}/{repository.name}"
    return {
        "id": repository.id,
        "node_id": _node_id("Repository", repository.id),
        "name": repository.name,
        "full_name": full_name,
        "private": repository.private,
        "owner": account_json(owner, web, api),
        "html_url": f"{web}/{full_name}",
        "description": f"The {repository.name} of {owner.name}",
        "fork": False,
        "url": f"{api}/repos/{full_name}",
        "clone_url": f"{web}/{full_name}.git",
        "homepage": None,
        "size": 108,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": "Python",
        "has_issues": True,
        "has_projects": True,
        "has_wiki": False,
        "forks_count": 0,
        "archived": repository.archived,
        "disabled": False,
        "open_issues_count": 0,
        "license": None,
        "topics": [],
        "visibility": "private" if repository.private else "public",
        "default_branch": repository.default_branch,
        "permissions": {"admin": False, "maintain": False, "push": True, "triage": True, "pull": True},
        "created_at": "2011-01-26T19:01:12Z",
        "updated_at": "2026-10-26T19:14:43Z",
        "pushed_at": "2026-10-26T19:06:43Z",
    }


def short_repository_json(repository: GitHubRepository, owner: GitHubAccount) -> Json:
    """How events of an installation tell of one: without addresses and branches."""
    return {
        "id": repository.id,
        "node_id": _node_id("Repository", repository.id),
        "name": repository.name,
        "full_name": f"{owner.login}/{repository.name}",
        "private": repository.private,
    }


def installation_json(installation: Installation, web: str, api: str) -> Json:
    suspended = installation.suspended_at
    owner, app = installation.account, installation.app
    return {
        "id": installation.id,
        "client_id": app.client_id,
        "account": account_json(owner, web, api),
        "repository_selection": "selected",
        "access_tokens_url": f"{api}/app/installations/{installation.id}/access_tokens",
        "repositories_url": f"{api}/installation/repositories",
        "html_url": f"{web}/settings/installations/{installation.id}",
        "app_id": int(app.id),
        "app_slug": app.slug,
        "target_id": owner.id,
        "target_type": owner.type,
        "permissions": installation.permissions,
        "events": list(EVENTS),
        "created_at": "2026-11-01T09:30:00Z",
        "updated_at": "2026-11-01T09:30:00Z",
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None if suspended is None else account_json(owner, web, api),
        "suspended_at": None if suspended is None else f"{suspended:%Y-%m-%dT%H:%M:%SZ}",
    }


def rate_limit_json(quota: Quota) -> Json:
    core = {
        "limit": quota.limit,
        "used": quota.used,
        "remaining": quota.remaining,
        "reset": int(quota.resets_at.timestamp()),
        "resource": "core",
    }
    search = core | {"limit": 30, "used": 0, "remaining": 30, "resource": "search"}
    graphql = core | {"limit": 5000, "used": 0, "remaining": 5000, "resource": "graphql"}
    return {"resources": {"core": core, "search": search, "graphql": graphql}, "rate": core}


def _node_id(kind: str, number: int) -> str:
    return b64encode(f"{len(kind):02}:{kind}{number}".encode()).decode()
