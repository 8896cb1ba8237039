"""GitHubAuthorization: how a browser links GitHub, by OAuth or by installing the operator's app. Made by service.py."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from domain.credential_secrets import GitHubAppSecret, OAuthSecret
from domain.secret import Secret
from domain.services.authorization import AuthorizationMethod, AuthorizationRequest, AuthorizationReturn, Grant
from domain.services.base import Revocation
from domain.services.github.answers import classify
from domain.services.github.api import SERVICE_ID, GitHubApi
from domain.services.github.app import GitHubApp, app_not_set_up
from domain.services.github.grants import (
    approval_needed,
    client_refused,
    code_refused,
    no_user_code,
    read_grant,
    refresh_refused,
)
from domain.services.github.installation_owners import InstallationOwners, not_theirs
from domain.services.oauth_client import OAuthClient
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault


class GitHubAuthorization:
    """One OAuth client. With `app`, the client is that app's own, and the app can be installed through it."""

    uses_pkce = True
    issuer = None

    def __init__(self, api: GitHubApi, client: OAuthClient, app: GitHubApp | None) -> None:
        self._api = api
        self._client = client
        self._app = app
        self._owners = InstallationOwners(api)
        self.methods = (AuthorizationMethod.OAUTH2,) + (() if app is None else (AuthorizationMethod.GITHUB_APP,))

    def address(self, request: AuthorizationRequest) -> str:
        """For an app the page that installs it: GitHub asks for the person's authorization on the way."""
        if request.method is AuthorizationMethod.GITHUB_APP and self._app is not None:
            query = urlencode({"state": request.state.reveal()})
            return f"{self._api.web_url}/apps/{self._app.slug}/installations/new?{query}"
        parameters = {
            "client_id": self._client.client_id,
            "redirect_uri": request.redirect_uri,
            "scope": " ".join(request.scopes),
            "state": request.state.reveal(),
        }
        if request.code_challenge is not None:
            parameters |= {"code_challenge": request.code_challenge, "code_challenge_method": "S256"}
        return f"{self._api.web_url}/login/oauth/authorize?{urlencode(parameters)}"

    async def exchange(self, returned: AuthorizationReturn) -> Grant | ServiceFault:
        """The code for a user's tokens; for an app then these for the proof that the person owns what it is on."""
        if returned.method is AuthorizationMethod.GITHUB_APP:
            return app_not_set_up() if self._app is None else await self._exchange_installation(returned, self._app)
        return await self._exchange_code(returned, returned.code_verifier)

    async def refresh(self, secret: OAuthSecret) -> Grant | ServiceFault:
        """GitHub ends both the old refresh token and the old access token."""
        if secret.refresh_token is None:
            return refresh_refused()
        grant = await self._token({"grant_type": "refresh_token", "refresh_token": secret.refresh_token.reveal()})
        if isinstance(grant, Grant) and isinstance(grant.secret, OAuthSecret) and grant.secret.refresh_token is None:
            kept = OAuthSecret(grant.secret.access_token, secret.refresh_token)
            return Grant(kept, grant.scopes, grant.expires_at, grant.refresh_expires_at)
        return grant

    async def revoke(self, access_token: Secret) -> Revocation | ServiceFault:
        """End the token, and the refresh token with it; GitHub says 404 or 422 of one that it doesn't know."""
        path = f"/applications/{self._client.client_id}/token"
        answer = await self._api.send_as_client("DELETE", path, self._client, {"access_token": access_token.reveal()})
        if isinstance(answer, ServiceFault):
            return answer
        if answer.status in {204, 404, 422} and (answer.status == 204 or isinstance(answer.json(), dict)):
            return Revocation.REVOKED
        fault = classify(answer, self._api.now())
        if fault is not None and fault.kind is FaultKind.CREDENTIAL_REFUSED:
            return client_refused(answer, "incorrect_client_credentials")
        return fault or unexpected_answer(SERVICE_ID, answer, "GitHub doesn't say whether it has ended the token.")

    async def _exchange_code(self, returned: AuthorizationReturn, verifier: Secret | None) -> Grant | ServiceFault:
        code = returned.query.get("code")
        if not code:
            return code_refused()
        proof = {} if verifier is None else {"code_verifier": verifier.reveal()}
        return await self._token({"code": code, "redirect_uri": returned.redirect_uri, **proof})

    async def _exchange_installation(self, returned: AuthorizationReturn, app: GitHubApp) -> Grant | ServiceFault:
        """GitHub's page of installations knows no PKCE. The installation's id in the address is anybody's claim."""
        if returned.query.get("setup_action") == "request":
            return approval_needed()
        installation_id = returned.query.get("installation_id", "")
        if not _INSTALLATION_ID.fullmatch(installation_id):
            return not_theirs()
        if "code" not in returned.query:
            return no_user_code()
        grant = await self._exchange_code(returned, None)
        if isinstance(grant, ServiceFault) or not isinstance(grant.secret, OAuthSecret):
            return grant
        user_token = grant.secret.access_token
        refused = await self._owners.refusal(user_token, int(installation_id))
        await self.revoke(user_token)  # it has served its purpose; where that fails it ends by itself in hours
        return refused or Grant(GitHubAppSecret(app.app_id, str(int(installation_id))))

    async def _token(self, asked: Mapping[str, str]) -> Grant | ServiceFault:
        client = {"client_id": self._client.client_id, "client_secret": self._client.client_secret.reveal()}
        answer = await self._api.post_form("/login/oauth/access_token", client | dict(asked))
        return answer if isinstance(answer, ServiceFault) else read_grant(answer, self._api.now())


_INSTALLATION_ID: Final = re.compile(r"[0-9]{1,18}")
