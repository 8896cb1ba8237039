"""The linter finds what is wrong with a schema, and knows a connection to a service from a page of a list."""

import shutil
from pathlib import Path

from tests.schema_care.__main__ import ROOT
from tests.schema_care.linter import lint

BAD = '''
"""What can be read."""
type Query {
  get_things(first: Int): ThingConnection
  """A connection to a service."""
  connection: ServiceConnection @deprecated
}

"""A page."""
type ThingConnection {
  """The items."""
  edges: [ServiceConnection]
}

type ServiceConnection {
  """What it is called."""
  name: String
}

"""Nothing leads here."""
type Lonely {
  """What it is called."""
  name: String
}
'''


def test_each_rule_finds_what_it_is_for(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / ".graphqlrc.yml", tmp_path / ".graphqlrc.yml")
    (tmp_path / "gql/graphiql/examples").mkdir(parents=True)
    (tmp_path / "schema.graphql").write_text(BAD, "utf-8")
    (tmp_path / "gql/graphiql/examples/1.graphql").write_text("query A { nothing }", "utf-8")

    found = lint(tmp_path)

    for rule in (
        "naming-convention",
        "require-description",
        "require-deprecation-reason",
        "relay-page-info",
        "relay-arguments",
        "relay-connection-types",
        "strict-id-in-types",
        "no-unreachable-types",
        "fields-on-correct-type",
    ):
        assert f"@graphql-eslint/{rule}\n" in found, rule
    assert found.count("@graphql-eslint/relay-arguments\n") == 1, "ServiceConnection is no page"
