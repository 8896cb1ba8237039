"""The headers that every answer carries for browsers, so that what they get here is used for nothing else.

Put on by RequestFrame. An answer that sets one of them itself keeps its own, as pages do with their policy.
"""

from collections.abc import Mapping

from gql.settings import Environment, Settings


def security_headers(settings: Settings) -> Mapping[str, str]:
    """Those of one server. In production by https, browsers never come by http again, for a year after each visit."""
    hsts = settings.environment is Environment.PRODUCTION and settings.public_url.startswith("https://")
    return {
        "Cache-Control": "no-store",  # every answer depends on who asks and when
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # what is no page loads nothing
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        **({"Strict-Transport-Security": "max-age=31536000"} if hsts else {}),
    }
