"""What the answers of a described service mean: an account, or the fault they tell of. Calls nobody.

The service is known by its description only, so all that is read is what RFC 6750 says of bearer tokens.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.entities.health import ExternalAccount, Identity, Json, Remedy
from domain.http import HttpAnswer, NotJson
from domain.services.base import Identified, IdentityAnswer
from domain.services.boundary import clean_text, clean_url
from domain.services.generic.description import AccountPaths, GenericServiceDescription
from domain.services.refusals import rate_limited, server_error, unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault


def read_identity(answer: HttpAnswer, service: GenericServiceDescription, now: datetime) -> IdentityAnswer:
    """The answer of the identity's address."""
    fault = classify(answer, service, now)
    if fault is not None:
        return fault
    body = answer.json()
    account = None if isinstance(body, NotJson) else _account(body, service.account)
    if account is None:
        message = f"The answer of {service.name} has no account where its description says."
        return unexpected_answer(service.id, answer, message)
    # It sends no webhooks, but a revocation has to know which connections are of the same account.
    identity = Identity(account, webhook_key=f"account:{account.id}")
    return Identified(identity, None, answer.latency_ms)


def classify(answer: HttpAnswer, service: GenericServiceDescription, now: datetime) -> ServiceFault | None:
    """What keeps this answer from being used; None for a 200."""
    if answer.status == 200:
        return None
    if answer.status == 429:
        return rate_limited(service.id, service.name, answer, now)
    if answer.status >= 500:
        return server_error(service.id, service.name, answer)
    if answer.status == 401:
        return _unauthorized(answer, service)
    if answer.status == 403:
        return _forbidden(answer, service)
    message = f"{service.name} answers with HTTP {answer.status}. Is the identity's address the right one?"
    return unexpected_answer(service.id, answer, message)


def _unauthorized(answer: HttpAnswer, service: GenericServiceDescription) -> ServiceFault:
    """A 401 that doesn't speak of the token is no proof: a proxy that asks for a password says the same."""
    text = f"{service.name} doesn't accept the token. Connect again."
    fault = _fault(answer, service, FaultKind.CREDENTIAL_REFUSED, "token_refused", text, Remedy.RECONNECT)
    return replace(fault, conclusive=_challenge(answer).get("error") == "invalid_token")


def _forbidden(answer: HttpAnswer, service: GenericServiceDescription) -> ServiceFault:
    challenge = _challenge(answer)
    if challenge.get("error") == "insufficient_scope":
        text = f"{service.name} wants a scope before it says whose the token is. Grant it and connect again."
        fault = _fault(answer, service, FaultKind.SCOPE_MISSING, "scope_missing", text, Remedy.GRANT_SCOPES)
        return replace(fault, evidence={"scope": challenge.get("scope")})
    text = f"{service.name} forbids the call. An administrator there may see why."
    return _fault(answer, service, FaultKind.ADMIN_REQUIRED, "forbidden", text, Remedy.CONTACT_ADMIN)


def _fault(
    answer: HttpAnswer, service: GenericServiceDescription, kind: FaultKind, code: str, text: str, remedy: Remedy
) -> ServiceFault:
    return ServiceFault(kind, f"{service.id}_{code}", text, remedy, latency_ms=answer.latency_ms)


def _challenge(answer: HttpAnswer) -> Mapping[str, str]:
    """The error and the scope that an answer names: in its challenge, as RFC 6750 says, or in its body."""
    said: dict[str, Json] = {}
    header = answer.headers.get("www-authenticate", "")
    if header[:7].lower() == "bearer ":
        said = {name.lower(): value for name, value in _PARAMETER.findall(header)}
    else:
        body = answer.json()
        said = body if isinstance(body, dict) else {}
    found = {name: clean_text(said.get(name)) for name in ("error", "scope")}
    return {name: value for name, value in found.items() if value is not None}


def _account(identity: Json, paths: AccountPaths) -> ExternalAccount | None:
    identifier = _at(identity, paths.id)
    if isinstance(identifier, int) and not isinstance(identifier, bool):
        identifier = str(identifier)
    account_id = clean_text(identifier)
    if account_id is None or account_id != identifier:  # a shortened id could be another account's
        return None
    name = clean_text(_at(identity, paths.name))
    return ExternalAccount(
        account_id, name or account_id, clean_url(_at(identity, paths.url)), clean_url(_at(identity, paths.avatar_url))
    )


def _at(value: Json, path: str | None) -> Json:
    """What stands at the end of the path; None where it leads nowhere."""
    for key in path.split(".") if path is not None else ():
        value = value.get(key) if isinstance(value, dict) else None
    return value if path is not None else None


_PARAMETER: Final = re.compile(r'([a-zA-Z_]{1,40})\s*=\s*"([^"]{0,500})"')
