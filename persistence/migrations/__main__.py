"""`python -m persistence.migrations "what changes"`: the next revision, from how the tables differ from the last."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from persistence import migrations

if len(sys.argv) != 2:
    sys.exit(f'usage: {Path(sys.executable).name} -m persistence.migrations "what changes"')
with TemporaryDirectory() as folder:
    database_url = f"sqlite+aiosqlite:///{folder}/newest.db"
    migrations.upgrade(database_url)
    migrations.write_revision(database_url, sys.argv[1])
