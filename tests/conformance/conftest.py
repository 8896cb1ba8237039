"""A Tether to be audited is that of the tests of GraphQL, with the same sandbox and database."""

from tests.gql.conftest import sandbox, sqlite_url

__all__ = ["sandbox", "sqlite_url"]
