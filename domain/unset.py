"""UNSET: an argument that wasn't given, where None means something else. Used by the managers' updates."""

from enum import Enum
from typing import Final


class Unset(Enum):
    """The type of the one value UNSET, so that type checkers can tell it apart."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
