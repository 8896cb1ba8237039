"""How JSON columns are written and read: compact text, the same bytes on both databases.

Given to every engine.
"""

from typing import Any, Final, TypedDict

import orjson


def json_text(value: Any) -> str:
    """Compact JSON, in UTF-8 without escapes that aren't needed."""
    return orjson.dumps(value).decode()


class _EngineJson(TypedDict):
    json_serializer: Any
    json_deserializer: Any


ENGINE_JSON: Final[_EngineJson] = {"json_serializer": json_text, "json_deserializer": orjson.loads}
