"""JSON that can be read in one way only, as clients send it in bodies, addresses and messages.

Used by whoever reads those. RFC 8259 leaves open what an object means that has a key twice; two programs that read it
differently see two requests, so that none is seen.
"""

import json
from typing import Any, Final

import orjson


class NotJson(Exception):
    """It isn't JSON in UTF-8."""


class UnfitJson(Exception):
    """It is JSON that isn't read here; `str()` of it says why, to whoever sent it."""


def parse_json(text: str | bytes) -> Any:
    """Its value. Raises NotJson and UnfitJson."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise NotJson from None
    try:
        _WITHOUT_REPEATS.decode(text if isinstance(text, str) else text.decode())  # orjson takes the last of several
    except RecursionError:
        raise UnfitJson("The JSON is nested too deep.") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) == len(pairs):
        return
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise UnfitJson(f"An object has the key {key[:80]!r} twice.")
        seen.add(key)


_WITHOUT_REPEATS: Final = json.JSONDecoder(object_pairs_hook=_once, parse_int=len, parse_float=len)
