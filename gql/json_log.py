"""The log as lines of JSON, written by structlog: timestamp, level, logger, message, what is bound, and the exception.

Used by `gql/log.py`, where it is asked for.
"""

import logging
from typing import Any, Final

import orjson
import structlog

from domain.log_context import logged_context
from gql.redaction import redacted


def json_formatter() -> logging.Formatter:
    """Of records of the standard library; what is bound in this context stands beside the message."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            _add_context,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(_json_line),
            _redact,
        ],
    )


def _add_context(_logger: object, _method: str, event: Any) -> Any:
    event.update(logged_context())
    return event


def _json_line(event: object, **_options: object) -> str:
    return orjson.dumps(event, default=repr).decode().translate(_ESCAPES)


def _redact(_logger: object, _method: str, line: Any) -> Any:
    return redacted(line)


_ESCAPES: Final = {ord(each): f"\\u{ord(each):04x}" for each in "\x85\u2028\u2029"}
"""JSON may hold these as they are, but some readers of logs take them for the ends of lines."""
