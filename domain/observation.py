"""Observation: both ways in which work can be watched, measurements and traces, given on as one.

Made by the composition root; what isn't given one is watched by nobody.
"""

from dataclasses import dataclass
from typing import Final

from domain.measurements import NO_MEASUREMENTS, Measurements
from domain.tracing import NO_TRACING, Tracing


@dataclass(frozen=True, slots=True)
class Observation:
    """Who watches."""

    measurements: Measurements = NO_MEASUREMENTS
    tracing: Tracing = NO_TRACING


UNOBSERVED: Final = Observation()
