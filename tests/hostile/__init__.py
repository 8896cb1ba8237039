"""A corpus of hostile requests, each refused (or answered) at a small cost. `python -m tests.hostile` prints the costs."""
