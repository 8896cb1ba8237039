"""PoolUse: how full a pool of database connections is. Told by Database to whoever operates Tether."""

from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool


class PoolUse(NamedTuple):
    """Connections that are lent just now, and how many there can be."""

    in_use: int
    most: int


def use_of_engine(engine: AsyncEngine) -> PoolUse:
    pool = engine.sync_engine.pool
    if not isinstance(pool, QueuePool):
        raise TypeError("Database makes its engines with a pool of a size")
    return PoolUse(pool.checkedout(), pool.size())
