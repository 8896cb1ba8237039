"""The sandbox's ASGI application: all services, the control API and the list of ready-made tokens over one state."""

from dataclasses import replace

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.control import Control
from sandbox.github import GitHub
from sandbox.github_app_api import GitHubAppApi
from sandbox.github_control import GitHubControl
from sandbox.github_login import GitHubLogin
from sandbox.github_webhooks import GitHubWebhooks
from sandbox.gitlab import GitLab
from sandbox.gitlab_control import GitLabControl
from sandbox.gitlab_webhooks import GitLabWebhooks
from sandbox.openid import OpenId
from sandbox.ready_made import ready_made_tokens
from sandbox.ready_made_clients import READY_MADE_APP, WEBHOOK_SECRET, ready_made_clients
from sandbox.slack import Slack
from sandbox.slack_control import SlackControl
from sandbox.slack_events import SlackEvents
from sandbox.slack_grants import SlackGrants
from sandbox.slack_login import SlackLogin
from sandbox.state import Clock, SandboxState, WebhookTarget, utc_now
from sandbox.tokens import Service
from sandbox.web_pages import front_page

MAX_BODY_BYTES = 8 * 1024 * 1024


def create_app(clock: Clock = utc_now, *, webhooks_to: str | None = None) -> Starlette:
    """A fresh sandbox that knows the ready-made tokens; `clock` says the present moment, in UTC.

    `webhooks_to`: the address below which each service has the one that it sends its webhooks to.
    """
    state = SandboxState(clock)
    if webhooks_to is not None:
        for service in Service:
            state.webhook_targets[service] = WebhookTarget(f"{webhooks_to}/{service}", WEBHOOK_SECRET)
    ready_made = ready_made_tokens(clock())
    for each in ready_made:
        state.put(each.token)

    for client in ready_made_clients():
        state.put_client(client)
    state.github_apps.apps[READY_MADE_APP.id] = replace(READY_MADE_APP)

    async def front(_: Request) -> Response:
        return front_page(ready_made)

    github_webhooks = GitHubWebhooks(state)
    slack_grants, slack_events = SlackGrants(state), SlackEvents(state)
    routes = [
        Route("/", front),
        *Control(state).routes(),
        *GitHubControl(state, github_webhooks).routes(),
        *GitHubLogin(state).routes(),
        *GitHubAppApi(state, github_webhooks).routes(),
        *GitHub(state).routes(),
        *SlackControl(state, slack_events).routes(),
        *SlackLogin(state, slack_grants).routes(),
        *Slack(state, slack_grants, slack_events).routes(),
        *GitLabWebhooks(state).routes(),
        *GitLabControl(state).routes(),
        *GitLab(state).routes(),
        *OpenId(state).routes(),
    ]
    app = Starlette(routes=routes, max_body_size=MAX_BODY_BYTES)
    app.router.redirect_slashes = False
    return app
