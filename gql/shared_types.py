"""Strawberry's schema, whose types are built once a process: that takes longer than all else that an application needs.

The base of the schema in gql/schema.py. `tether serve` makes one; tests make hundreds.
"""

from typing import Any, Final

import strawberry


class SharedTypesSchema(strawberry.Schema):
    """A schema of the same parts as an earlier one has that one's types, which nothing changes once they are built."""

    def __init__(self, **parts: Any) -> None:
        for known, built in _BUILT:
            if known == parts:
                vars(self).update(built)
                return
        super().__init__(**parts)
        _BUILT.append((parts, dict(vars(self))))


_BUILT: Final[list[tuple[dict[str, Any], dict[str, Any]]]] = []
