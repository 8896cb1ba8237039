"""Whether whoever has opened something that stays open is still let in. Asked by sockets and by streams over HTTP.

Keys and sessions end, and so does what was opened with them, within five seconds.
"""

import asyncio
from datetime import timedelta
from typing import Final

from domain.errors import ServiceUnavailable, Unauthenticated
from gql.proof import Proof

LOOKS_EVERY: Final = timedelta(seconds=2)
"""How often it is made sure. All that is open of one caller asks the database together."""


async def until_shut_out(proof: Proof | None) -> None:
    """Returns as soon as the proof is worth nothing any more; never for a stranger, who has none to lose."""
    while True:
        await asyncio.sleep(LOOKS_EVERY.total_seconds())
        if proof is not None and await is_shut_out(proof):
            return


async def is_shut_out(proof: Proof) -> bool:
    """Whether it is surely worth nothing any more."""
    try:
        await proof.viewer(counts_as_use=False)
    except Unauthenticated:
        return True
    except ServiceUnavailable:
        return False  # nobody can tell; whatever the caller asks for meanwhile fails, too
    return False
