"""How the garbage collector runs in processes that stay: `tether serve` and `tether worker` call it when all is set up.

Nearly everything here is freed by counting references. What the collector does besides is to walk through all that it
may find, again and again as objects are made by the thousand, as in a claim of hundreds of checks.
"""

import gc
from typing import Final

YOUNG: Final = 10_000
"""Objects that come to be before the youngest are looked through; Python's own 700 are one page or part of a claim."""


def collect_less() -> None:
    """Never look again through what is there by now: modules, the schema, what was set up. Look at the rest rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
