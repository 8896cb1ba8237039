"""Tracing with OpenTelemetry, where TETHER_TRACING asks for it. Opened by the composition root.

OpenTelemetry is an extra: nothing imports it before it is asked for, and then start-up says if it is missing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.tracing import NO_TRACING, Tracing
from gql.operator_error import OperatorError
from gql.settings import TracingTarget

MISSING = (
    "TETHER_TRACING=otlp needs OpenTelemetry, which isn't installed. Install the extra: pip install 'tether[tracing]'; "
    "in a checkout, .venv/bin/pip install --editable '.[tracing]'."
)


@asynccontextmanager
async def tracing_to(target: TracingTarget) -> AsyncIterator[Tracing]:
    """For as long as the block lasts; what isn't sent then is sent before it is left. Raises OperatorError."""
    if target is TracingTarget.OFF:
        yield NO_TRACING
        return
    try:
        from gql.open_telemetry import exporting_spans
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise OperatorError(MISSING) from missing
    async with exporting_spans() as tracing:
        yield tracing
