"""read_descriptions: the services that an operator describes in a TOML file. Called by the composition root.

Everything is checked before anything runs, and all that is wrong is told at once, each mistake with its place.
"""

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from domain.address_guard import OutboundAllow
from domain.secret import Secret
from domain.services.base import ServiceScope
from domain.services.generic.description import OPENID_ACCOUNT_ID, AccountPaths, GenericServiceDescription
from domain.services.generic.table_reader import TableReader
from domain.services.oauth_client import OAuthClient
from domain.services.token_endpoint import ClientAuthentication

BUILT_IN: Final = frozenset({"github", "gitlab", "slack"})
"""The services that a folder of their own makes."""


def read_descriptions(
    text: str, allow: OutboundAllow, environ: Mapping[str, str], *, taken_ids: Collection[str] = BUILT_IN
) -> Sequence[GenericServiceDescription]:
    """One service for each table `[services.<id>]`, in the file's order. A client's secret may stand in `environ`.

    Raises ValueError with a line for every mistake, such as `services.acme.token_url: is missing.` None quotes a value.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as wrong:
        where = _WHERE.search(str(wrong))
        raise ValueError(f"The file isn't TOML{'' if where is None else f' {where.group()}'}.") from None
    mistakes: list[str] = []
    file = TableReader("", document, mistakes)
    found = [
        _description(service_id, table, allow, environ, taken_ids)
        for service_id, table in file.table("services").entries()
    ]
    file.refuse_unknown()
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return found


def _description(
    service_id: str, table: TableReader, allow: OutboundAllow, environ: Mapping[str, str], taken_ids: Collection[str]
) -> GenericServiceDescription:
    if not _ID.fullmatch(service_id):
        table.refuse("can't be an id: it has to be 2 to 31 small letters, digits and hyphens, beginning with a letter.")
    elif service_id in taken_ids:
        table.refuse("is the id of a service that Tether has already.")
    name = table.text("name")
    described = GenericServiceDescription(
        id=service_id,
        name=name,
        description=table.optional_text("description") or f"Accounts at {name}, through OAuth or a token.",
        documentation_url=table.address("documentation_url", allow, query=True),
        authorize_url=table.address("authorize_url", allow, query=True),
        token_url=table.address("token_url", allow),
        identity_url=table.address("identity_url", allow, query=True),
        revocation_url=table.optional_address("revocation_url", allow),
        issuer=table.optional_address("issuer", allow),
        client=OAuthClient(table.text("client_id"), _client_secret(table, environ)),
        client_authentication=ClientAuthentication(
            table.choice("client_authentication", list(ClientAuthentication), ClientAuthentication.BASIC)
        ),
        pkce=table.flag("pkce", True),
        scope_separator=table.choice("scope_separator", (" ", ","), " "),
        scopes=_scopes(table),
        account=_account(table.table("account")),
    )
    table.refuse_unknown()
    return described


def _client_secret(table: TableReader, environ: Mapping[str, str]) -> Secret:
    written, variable = table.optional_text("client_secret"), table.optional_text("client_secret_env")
    named = {key for key in ("client_secret", "client_secret_env") if table.has(key)}
    if len(named) != 1:
        table.complain("client_secret", "has to be set, either here or by client_secret_env, and not by both.")
    if variable is not None:
        written = environ.get(variable, "").strip()
        if not written:
            table.complain("client_secret_env", "names a variable of the environment that isn't set.")
    try:
        return Secret(written or "")
    except ValueError:
        table.complain("client_secret_env", "names a variable of the environment that isn't UTF-8 text.")
        return Secret("")


def _scopes(table: TableReader) -> tuple[ServiceScope, ...]:
    scopes: list[ServiceScope] = []
    for each in table.tables("scopes"):
        scope = ServiceScope(each.text("name"), each.text("description"), each.flag("required", False))
        if any(scope.name == other.name for other in scopes):
            each.complain("name", "names a scope for the second time.")
        if not _SCOPE.fullmatch(scope.name) and each.has("name"):
            each.complain("name", "can't be a scope: it has a space, a comma or what scopes don't have.")
        each.refuse_unknown()
        scopes.append(scope)
    return tuple(scopes)


def _account(table: TableReader) -> AccountPaths:
    paths = AccountPaths(
        id=table.path("id") or OPENID_ACCOUNT_ID,
        name=table.path("name"),
        url=table.path("url"),
        avatar_url=table.path("avatar_url"),
    )
    table.refuse_unknown()
    return paths


_WHERE: Final = re.compile(r"\(at [a-z0-9 ,]+\)")
_ID: Final = re.compile(r"[a-z][a-z0-9-]{1,30}")
_SCOPE: Final = re.compile(r"[!#-+\--\[\]-~]{1,255}")  # RFC 6749's, without the comma
