"""`python -m tests.schema_care`, of `make check`: lints schema.graphql and compares it with the last release's."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.npm import NpmError
from tests.schema_care.linter import lint
from tests.schema_care.release_comparison import compare_with_last_release

ROOT: Final = Path(__file__).parents[2]


def main() -> int:
    try:
        findings = lint(ROOT)
        comparison = compare_with_last_release(ROOT, datetime.now(UTC).date())
    except NpmError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{findings}Schema: {comparison}\n")
    return int(bool(findings) or comparison.breaks)


if __name__ == "__main__":
    sys.exit(main())
