"""The OAuth clients and the GitHub App that the sandbox knows from the start; app.py adds them to the state."""

from typing import Final

from sandbox.github_apps import App
from sandbox.oauth import ACCESS_LIFETIME_SECONDS, Client
from sandbox.tokens import Service

CLIENT_ID: Final = "sandbox-client"
CLIENT_SECRET: Final = "sandbox-client-not-secret"  # noqa: S105 - a simulated one, for everybody
ACCESS_LIFETIMES_SECONDS: Final = {Service.GITLAB: 2 * 60 * 60, Service.OPENID: 60 * 60}
WEBHOOK_SECRET: Final = "sandbox-webhooks-not-secret"  # noqa: S105 - likewise
READY_MADE_APP: Final = App(id="1001", slug="tether-sandbox", client_id=CLIENT_ID)


def ready_made_clients() -> list[Client]:
    """One for each service. Its callbacks are those of a server on this machine, whatever its port."""
    return [
        Client(
            service=service,
            id=CLIENT_ID,
            secret=CLIENT_SECRET,
            access_lifetime_seconds=ACCESS_LIFETIMES_SECONDS.get(service, ACCESS_LIFETIME_SECONDS),
            redirect_uris=(
                f"http://127.0.0.1:8000/oauth/callback/{service}",
                f"http://127.0.0.1/oauth/callback/{service}",
                f"http://localhost/oauth/callback/{service}",
            ),
        )
        for service in Service
    ]
