"""Where two answers differ: the read path's, and the slow evaluator's. Used by what compares them."""

import re
from typing import Any, Final

_TAG: Final = re.compile(rb'"[0-9a-f]{12}~([0-9a-f-]{36}~[0-9a-f-]{36}~)')


def without_tags(data: bytes) -> bytes:
    """An answer's text whose cursors don't say to which order and filter they belong, as the evaluator's don't."""
    return _TAG.sub(rb'"~\1', data)


def difference(actual: Any, expected: Any, path: str = "data") -> str | None:
    """Where two answers first differ, the order of keys included; shares of time may do so in the sixth digit."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        if list(actual) != list(expected):
            return f"{path}: keys {list(actual)} instead of {list(expected)}"
        pairs = [(f"{path}.{key}", actual[key], expected[key]) for key in expected]
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(actual) != len(expected):
            return f"{path}: {len(actual)} items instead of {len(expected)}"
        pairs = [(f"{path}[{at}]", *both) for at, both in enumerate(zip(actual, expected, strict=True))]
    elif isinstance(expected, float) and isinstance(actual, float):
        return None if abs(actual - expected) < 2e-6 else f"{path}: {actual} instead of {expected}"
    else:
        same = type(actual) is type(expected) and actual == expected
        return None if same else f"{path}: {actual!r} instead of {expected!r}"
    return next((found for one in pairs if (found := difference(one[1], one[2], one[0]))), None)
