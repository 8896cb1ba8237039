"""The Content-Security-Policy of pages that are whole in themselves: nothing is loaded, and only what they hold runs.

Used by the start page and by the pages to which people come on their way to a service or an identity provider.
"""

import base64
import hashlib


def page_policy(html: str, form_action: str = "'none'") -> str:
    """For a page with one `<style>` and at most one `<script>`, which the policy names by their hashes."""
    script = _hash_of(html, "script")
    return "; ".join(
        [
            "default-src 'none'",
            *([f"script-src {script}"] if script else []),
            f"style-src {_hash_of(html, 'style')}",
            "img-src data:",
            "base-uri 'none'",
            f"form-action {form_action}",
            "frame-ancestors 'none'",
        ]
    )


def _hash_of(html: str, element: str) -> str | None:
    """Of the element that has no attributes: a script that has some is data."""
    _, found, rest = html.partition(f"<{element}>")
    digest = hashlib.sha256(rest.partition(f"</{element}>")[0].encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'" if found else None
