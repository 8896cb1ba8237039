"""Probes as the JSON of a row: a list of objects, their keys named as the attributes of HealthProbe.

Used for connections, which carry the latest, and for the history of checks. Documents read this JSON as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.entities.health import HealthProbe, ProbeOutcome, Remedy


def probes_to_json(probes: Sequence[HealthProbe]) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "name": probe.name,
            "outcome": probe.outcome.value,
            "code": probe.code,
            "message": probe.message,
            "remedy": probe.remedy.value,
            "latency_ms": probe.latency_ms,
            "evidence": probe.evidence,
        }
        for probe in probes
    ]


def probes_from_json(probes: Sequence[Mapping[str, Any]]) -> tuple[HealthProbe, ...]:
    return tuple(
        HealthProbe(
            name=probe["name"],
            outcome=ProbeOutcome(probe["outcome"]),
            code=probe["code"],
            message=probe["message"],
            remedy=Remedy(probe["remedy"]),
            latency_ms=probe["latency_ms"],
            evidence=probe["evidence"],
        )
        for probe in probes
    )
