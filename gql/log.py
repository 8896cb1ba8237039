"""How Tether logs: to standard error, an event a line, a traceback below it only for what nobody meant to happen.

Set up by the command line, once a process.
"""

import logging
from typing import Final


def set_up_logging() -> None:
    """Tether's own events from INFO on, its libraries' from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in _OWN:
        logging.getLogger(name).setLevel(logging.INFO)
    # Libraries that look at their own logger's level before they write each frame or statement.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


class _OneLine(logging.Formatter):
    """Line breaks in a message are shown, not obeyed, so that nobody can write lines of their own into the log."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return super().formatMessage(record).translate(_BREAKS)


_OWN: Final = ("gql", "domain", "persistence", "tether")
_BREAKS: Final = {ord(each): ascii(each)[1:-1] for each in "\r\n\v\f\x1b\x85\u2028\u2029"}
