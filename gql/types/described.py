"""Descriptions for enums that the domain defines: the schema explains each value, the domain stays free of GraphQL.

Used by `gql/types/enums.py`.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

AnEnum = TypeVar("AnEnum", bound=Enum)


def described(cls: type[AnEnum], description: str, values: Mapping[AnEnum, str]) -> type[AnEnum]:
    """Make an enum one of the schema. Raises ValueError unless every value is described."""
    if missing := [value.name for value in cls if value not in values]:
        raise ValueError(f"{cls.__name__} has values that nobody has described: {', '.join(missing)}")
    strawberry.enum(cls, description=description)
    definition: StrawberryEnumDefinition = cls.__strawberry_definition__  # type: ignore[attr-defined]  # set by Strawberry
    texts = {value.name: text for value, text in values.items()}
    for value in definition.values:
        value.description = texts[value.name]
    return cls
