"""Editors find the schema, the operations and where to send them, in .graphqlrc.yml."""

import json
import os
import subprocess

from tests.npm import node_with_packages
from tests.schema_care.__main__ import ROOT
from tests.schema_care.linter import FOLDER


def test_editors_find_the_schema_the_operations_and_the_server() -> None:
    read = subprocess.run(  # noqa: S603 - our own
        [node_with_packages(FOLDER), str(FOLDER / "read_config.js"), str(ROOT)],
        capture_output=True,
        text=True,
        env={**os.environ, "TETHER_TOKEN": "tether_of_a_test"},
    )
    assert read.returncode == 0, read.stderr
    found = json.loads(read.stdout)

    assert found["types"] > 100
    assert {ROOT / place for place in found["documents"]} == set(ROOT.glob("gql/graphiql/examples/*.graphql"))
    assert found["endpoint"] == {
        "url": "http://localhost:8000/graphql",
        "headers": {"Authorization": "Bearer tether_of_a_test"},
    }
