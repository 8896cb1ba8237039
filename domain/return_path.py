"""A path of this server to which a browser may be sent after signing in: `returnTo` is never another site's address."""

import re
from typing import Final

HOME: Final = "/"
_LENGTH: Final = 2000


def return_path(text: str | None) -> str:
    """The path with its query and fragment; the start page for anything that a browser could take elsewhere.

    It begins with one slash: browsers read `//host` as another host, and take a backslash for a slash. White space and
    control characters, which they leave out before they look, aren't let through either.
    """
    if text is None or len(text) > _LENGTH or not _PATH.fullmatch(text):
        return HOME
    return text


_PATH: Final = re.compile(r"/(?!/)(?:(?!\\)[!-~])*")
