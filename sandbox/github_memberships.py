"""What a person is in an organization of the simulated GitHub. Asked by github.py, with a token of that person's.

An organization is one by having an installation, which knows its owners and who else sees something of it.
"""

from starlette.requests import Request
from starlette.responses import Response

from sandbox.github_answers import api_url, json_answer, refusal, web_url
from sandbox.github_headers import Headers
from sandbox.github_objects import account_json
from sandbox.state import SandboxState
from sandbox.tokens import GitHubToken

MEMBERSHIPS = "/user/memberships/orgs/"


def membership(
    state: SandboxState, request: Request, token: GitHubToken, organization: str, headers: Headers
) -> Response:
    """As at GitHub, a token of an app says it only where the app may see the organization's members.

    Those who see an installation are members, though at GitHub some of them collaborate on a repository and aren't.
    """
    installations = state.github_apps.on_organization(organization)
    app = None if token.client_id is None else state.github_apps.of_client(token.client_id)
    if app is not None and not any(each.app is app and "members" in each.permissions for each in installations):
        return refusal(403, "Resource not accessible by integration", headers=headers)
    login, web, api = token.account.login, web_url(request), api_url(request)
    if not any(login in (*each.users, *each.owners) for each in installations):
        return refusal(404, "Not Found", headers=headers)
    owns = any(login in each.owners for each in installations)
    url = f"{api}/orgs/{organization}"
    body: dict[str, object] = {
        "url": f"{url}/memberships/{login}",
        "state": "active",
        "role": "admin" if owns else "member",
        "organization_url": url,
        "organization": account_json(installations[0].account, web, api),
        "user": account_json(token.account, web, api),
    }
    return json_answer(200, body, headers)
