"""npm's packages of a folder beside the tests: those of its package-lock.json, fetched by the first who needs them.

Used by every test that runs JavaScript. Lock files have hashes but no addresses, so any registry will do.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path


class NpmError(Exception):
    """The packages can't be had; it says why."""


def node_with_packages(folder: Path) -> str:
    """Node.js, with the folder's packages in place; one process fetches them for all. Raises NpmError."""
    node, npm = (shutil.which(name, path=_path()) for name in ("node", "npm"))
    if node is None or npm is None:
        raise NpmError("Node.js and npm aren't there, though they are among requirements/development.txt: make test")
    with (folder / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed, wanted = folder / "node_modules/.package-lock.json", folder / "package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            fetching = subprocess.run(  # noqa: S603 - our own
                command, cwd=folder, capture_output=True, text=True, env={**os.environ, "PATH": _path()}
            )
            if fetching.returncode:
                raise NpmError(f"npm can't fetch the packages of {folder.name}: {fetching.stderr.strip()}")
    return node


def _path() -> str:
    """Where programs are: those among our own packages come first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
