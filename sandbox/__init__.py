"""A simulated GitHub and Slack over real HTTP, for development and tests; `python -m sandbox` runs it."""
