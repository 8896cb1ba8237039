"""Simulated services over real HTTP, for development and tests; `python -m sandbox` runs it."""
