"""What axe-core, a checker of accessibility, finds in a page. Used by the tests here."""

import json
from pathlib import Path
from typing import Any, Final

from tests.browser.chromium import Page

_AXE: Final = Path(__file__).parent.parent.parent / "gql/graphiql/node_modules/axe-core/axe.min.js"
# GraphiQL's own: a close button inside of each tab, and pale numbers of lines. Neither keeps anybody from anything.
_OPTIONS: Final = {"rules": {"nested-interactive": {"enabled": False}}}
_CONTEXT: Final = {"exclude": [".monaco-editor"]}


async def violations(page: Page) -> Any:
    """A list for each rule that is broken: its name, then where."""
    if not await page.evaluate("'axe' in globalThis"):
        await page.evaluate(f"{_source()};0")
    return await page.evaluate(
        f"axe.run({json.dumps(_CONTEXT)}, {json.dumps(_OPTIONS)}).then(({{violations}}) => violations.map("
        "({id, nodes}) => [id, ...nodes.map(node => node.target.join(' '))]))"
    )


def _source() -> str:
    return _AXE.read_text("utf-8")
