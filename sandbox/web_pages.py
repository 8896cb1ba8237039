"""The sandbox's few HTML pages: the list of ready-made tokens, and what links of the simulated services lead to."""

from html import escape

from starlette.responses import HTMLResponse, Response

from sandbox.ready_made import ReadyMade


def front_page(tokens: list[ReadyMade]) -> Response:
    rows = "".join(
        f"<tr><td><code>{escape(each.token.name)}</code></td><td>{escape(each.about)}</td></tr>" for each in tokens
    )
    return page(
        "Sandbox",
        "<p>A simulated GitHub (<code>/github</code>, API <code>/github/api</code>), Slack (<code>/slack</code>, "
        "API <code>/slack/api</code>), GitLab (<code>/gitlab</code>) and OpenID provider "
        "(<code>/openid</code>). Type one of these tokens where a real one is asked for; any other is refused. "
        "<code>sandbox-github-17</code> and <code>sandbox-slack-17</code> work with any number. "
        "More can be made and changed: <code>PUT /_sandbox/tokens/NAME</code>.</p>"
        f"<table><tr><th>Token</th><th>What it does</th></tr>{rows}</table>",
    )


def account_page(service: str, name: str) -> Response:
    return page(f"{name} · {service} (simulated)", "<p>Here the real service would show its page.</p>")


def page_not_found(service: str) -> Response:
    return page(f"Page not found · {service} (simulated)", "<p>Nothing of this name is here.</p>", 404)


def avatar(seed: str) -> Response:
    """A coloured square, the same for the same account."""
    hue = sum(seed.encode()) * 37 % 360
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="80">'
        f'<rect width="80" height="80" fill="hsl({hue} 55% 45%)"/></svg>'
    )
    return Response(svg, media_type="image/svg+xml")


def page(title: str, content: str, status: int = 200) -> Response:
    style = (
        "body{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}"
        "td,th{text-align:left;padding:.2rem 1rem .2rem 0}"
    )
    return HTMLResponse(
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<link rel="icon" href="data:,"><style>{style}</style></head>'
        f"<body><h1>{escape(title)}</h1>{content}</body></html>",
        status,
    )
