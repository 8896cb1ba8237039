"""A process that migrates the database whose address it is given. Started by test_migrations.py, several at once."""

import sys

from persistence import migrations

if __name__ == "__main__":
    migrations.upgrade(sys.argv[1])
