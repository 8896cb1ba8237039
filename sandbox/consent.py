"""The page on which a simulated service asks a person whether a client may act for them, and the way back from it.

Used by every service's authorize endpoint. The answer is posted to the page's own address: `decision` is `authorize`
or `cancel`, `login` the account that was chosen; the request's own parameters come along.
"""

from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.web_pages import page


def consent_page(
    service: str, client: str, accounts: Sequence[str], wanted: Sequence[str], asked: Mapping[str, str]
) -> Response:
    """`wanted`: what it asks to be allowed; `asked`: the request's own parameters."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in asked.items()
    )
    choices = "".join(f"<option>{escape(each)}</option>" for each in accounts)
    return page(
        f"Authorize {client} · {service} (simulated)",
        f"<p><strong>{escape(client)}</strong> asks for: {escape(', '.join(wanted)) or 'no scopes'}.</p>"
        f'<form method="post">{hidden}<p><label>Account <select name="login">{choices}</select></label></p>'
        '<p><button name="decision" value="authorize">Authorize</button> '
        '<button name="decision" value="cancel">Cancel</button></p></form>',
    )


def refused_page(service: str, problem: str) -> Response:
    """For a request whose redirect address can't be trusted: the browser stays here."""
    return page(f"Can't authorize · {service} (simulated)", f"<p>{escape(problem)}</p>", 400)


async def asked_of(request: Request) -> dict[str, str]:
    """The parameters of an authorize request: of its query, and of the posted form, which wins."""
    form = parse_qsl((await request.body()).decode("utf-8", "replace")) if request.method == "POST" else []
    return dict(request.query_params) | dict(form)


def back_to_client(redirect_uri: str, **parameters: str | None) -> Response:
    """302 to the client, with those parameters that aren't None added to its address."""
    parts = urlsplit(redirect_uri)
    added = urlencode({name: value for name, value in parameters.items() if value is not None})
    query = "&".join(each for each in (parts.query, added) if each)
    return RedirectResponse(urlunsplit(parts._replace(query=query)), 302)
