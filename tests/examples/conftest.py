"""What the examples' tests share with those of the server."""

from tests.gql.conftest import encryption_key, sandbox, sqlite_url

__all__ = ["encryption_key", "sandbox", "sqlite_url"]
