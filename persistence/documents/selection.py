"""What an operation asks for below one field, as a small tree that knows nothing of GraphQL's syntax.

Built by `gql/selection.py` where a plan is missing; read by the compiler. Fragments, aliases, @skip and @include
are already worked in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Arguments = Callable[[Any], Mapping[str, Any]]
"""Gives a field's argument values from an operation's variables, whatever those are to the caller."""


@dataclass(frozen=True, slots=True)
class Selected:
    """One field in an answer: `key` is its name there, `name` its name in the schema.

    `below` holds what is selected from its value, per concrete type that the value can have; empty for a leaf.
    """

    key: str
    name: str
    arguments: Arguments | None = None
    below: Mapping[str, tuple["Selected", ...]] = field(default_factory=dict)


Selection = Mapping[str, tuple[Selected, ...]]
"""What is selected from a value, per concrete type that it can have."""
