"""`tether migrate`: the database's tables, created or brought up to date. Called by `make serve`, too."""

import argparse
import os
import sys

from gql.settings import Settings
from persistence import migrations


def run(_arguments: argparse.Namespace) -> int:
    migrations.upgrade(Settings.from_environment(os.environ).database_url)
    sys.stdout.write(f"The database is at revision {migrations.head()}.\n")
    return 0
