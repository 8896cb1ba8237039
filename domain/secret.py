"""A secret in memory, and the fingerprint by which people tell two apart. Used wherever a credential passes through.

`Secret` keeps its text out of logs, messages, JSON and pickles. It can't promise to wipe it: Python copies strings
and frees them when it likes, so whoever reads this process's memory reads its secrets.
"""

import hashlib
import hmac
import re
from typing import Final, NoReturn, Self, SupportsIndex, final

_MASK: Final = "***"
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@final
class Secret:
    """Text that shows itself only to `reveal`. Equality takes constant time; there is no hash, so it can't be a key.

    Raises ValueError for text that can't be written as UTF-8 (a lone surrogate).
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        # Looked for rather than left to encode(): a UnicodeEncodeError carries the whole text along.
        if _LONE_SURROGATE.search(text):
            raise ValueError("A secret must be Unicode text without lone surrogates.")
        self._text = text

    def reveal(self) -> str:
        """The text itself. Every call is a place to look at in a review."""
        return self._text

    def __repr__(self) -> str:
        return _MASK

    def __format__(self, format_spec: str) -> str:
        return _MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("A Secret can't be pickled.")


def fingerprint(secret: Secret) -> str:
    """What people compare by eye, such as `sha256:1f2e3d4c5b6a`: the first 48 bits of the text's plain SHA-256.

    Plain, so that whoever holds a token can check it against ours with `sha256sum`. That is safe for what services
    issue, which is too random to be guessed; don't show it for a password that a person made up, which isn't.
    """
    return f"sha256:{hashlib.sha256(secret.reveal().encode()).hexdigest()[:12]}"
