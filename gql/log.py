"""How Tether logs: to standard error, an event a line, as JSON or as text for people; without secrets in either.

Set up by the command line, once a process. Everything logs through the standard library, and is written here.
"""

import logging
from collections.abc import Mapping
from copy import copy
from enum import StrEnum
from typing import Any, Final

from domain.log_context import logged_context
from gql.redaction import redacted


class LogFormat(StrEnum):
    """JSON for programs, with a traceback in its line; TEXT for people, with a traceback below its line."""

    JSON = "json"
    TEXT = "text"

    @classmethod
    def chosen(cls, environ: Mapping[str, str]) -> "LogFormat":
        """Before the settings are read, which say what is wrong with them."""
        default = cls.TEXT if environ.get("TETHER_ENVIRONMENT", "").strip() == "development" else cls.JSON
        written = environ.get("TETHER_LOG_FORMAT", "").strip()
        return cls(written) if written in set(cls) else default


def set_up_logging(log_format: LogFormat) -> None:
    """Tether's own events from INFO on, its libraries' from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(log_format))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in _OWN:
        logging.getLogger(name).setLevel(logging.INFO)
    # Libraries that look at their own logger's level before they write each frame or statement.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def formatter(log_format: LogFormat) -> logging.Formatter:
    if log_format is LogFormat.JSON:
        from gql.json_log import json_formatter  # a tenth of a second, for who doesn't need it

        return json_formatter()
    return _Text("%(asctime)s %(levelname)s %(name)s: %(message)s")


class _Text(logging.Formatter):
    """Line breaks are shown, not obeyed, and tracebacks stand aside, so that nobody can write lines of their own."""

    def format(self, record: logging.LogRecord) -> str:
        unformatted = copy(record)
        unformatted.exc_text = None  # another handler may have written a traceback in its own way
        return redacted(super().format(unformatted))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        bound = "".join(f" {name}={value}" for name, value in logged_context().items())
        return f"{super().formatMessage(record)}{bound}".translate(_BREAKS)

    def formatException(self, exc_info: Any) -> str:  # noqa: N802 - logging's name
        return "\n".join(f"  {line.translate(_BREAKS)}" for line in super().formatException(exc_info).splitlines())


_OWN: Final = ("gql", "domain", "persistence", "tether")
_BREAKS: Final = {ord(each): ascii(each)[1:-1] for each in "\r\n\v\f\x1b\x1c\x1d\x1e\x85\u2028\u2029"}
