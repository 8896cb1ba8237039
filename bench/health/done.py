"""Done: what a process did in some seconds. Written by those that are started for it, as their only line."""

import json
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Done:
    """So many calls or checks, in that time; `processor_ms` is of the process, from when it began with them."""

    count: int
    seconds: float
    processor_ms: float

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    @property
    def each_ms(self) -> float:
        """Processor time of one."""
        return self.processor_ms / self.count

    def written(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, line: str) -> Self:
        return cls(**json.loads(line))
