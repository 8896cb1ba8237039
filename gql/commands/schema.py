"""`tether schema`: the GraphQL schema as text, as it stands in schema.graphql."""

import argparse
import sys

from gql.schema import build_schema


def run(_arguments: argparse.Namespace) -> int:
    sys.stdout.write(build_schema().as_str().rstrip("\n") + "\n")
    return 0
