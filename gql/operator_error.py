"""OperatorError: what keeps Tether from starting and what the operator can do about it.

Raised while settings are read and the server is put together; the command line prints it without a traceback.
"""


class OperatorError(Exception):
    """Each of `problems` is a sentence or two for the operator. None ever holds a secret."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
