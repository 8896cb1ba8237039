"""OperatorError: what keeps Tether from starting and what the operator can do about it; and outages, told to operators.

Raised while settings are read and the server is put together; the command line prints it without a traceback.
"""

from domain.errors import ServiceUnavailable


class OperatorError(Exception):
    """Each of `problems` is a sentence or two for the operator. None ever holds a secret."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def describe_outage(outage: ServiceUnavailable) -> str:
    """Its message with what the driver said, which no client sees. That names hosts, files and users, no password."""
    cause = getattr(outage.__cause__, "driver_exception", None) or outage.__cause__
    if cause is None:
        return outage.message
    return f"{outage.message} ({type(cause).__name__}: {' '.join(str(cause).split())})"
