"""Care for schema.graphql: its linter, its comparison with the last release, what editors read, and tests of all that.

`python -m tests.schema_care` runs the first two, as `make check` does.
"""
