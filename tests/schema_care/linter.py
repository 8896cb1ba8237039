"""The linter of schema.graphql and of GraphiQL's examples: graphql-eslint, with the rules in eslint.config.js."""

import subprocess
from pathlib import Path
from typing import Final

from tests.npm import node_with_packages

FOLDER: Final = Path(__file__).parent


def lint(project: Path) -> str:
    """What it finds in a project that has a .graphqlrc.yml; nothing where all is well. Raises NpmError."""
    files = ["schema.graphql", *sorted(map(str, project.glob("gql/graphiql/examples/*.graphql")))]
    command = [
        node_with_packages(FOLDER),
        str(FOLDER / "node_modules/eslint/bin/eslint.js"),
        "--max-warnings=0",
        "--no-color",
        f"--config={FOLDER / 'eslint.config.js'}",
        *files,
    ]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)  # noqa: S603 - our own
    if done.returncode not in (0, 1):
        raise RuntimeError(f"eslint can't run: {done.stderr}")
    return done.stdout + done.stderr
