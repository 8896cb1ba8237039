"""The command `tether`: what can be asked of it and how, and what an operator sees when it fails.

Exit codes: 0 for done, 1 for failed, with a line on standard error that says why, 2 for a call not understood.
"""

import argparse
import os
import sys
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final

from domain.entities.user import Role
from domain.errors import DomainError, ServiceUnavailable
from gql.log import LogFormat, set_up_logging
from gql.operator_error import OperatorError, describe_outage


def main() -> int:
    arguments = _parser().parse_args()
    set_up_logging(LogFormat.chosen(os.environ))
    try:
        # Imported only now: `tether keys` needn't wait for a database's and a server's modules.
        exit_code: int = import_module(f"gql.commands.{arguments.command}").run(arguments)
        return exit_code
    except OperatorError as error:
        return _failed(*error.problems)
    except ServiceUnavailable as error:
        return _failed(describe_outage(error))
    except DomainError as error:
        return _failed(error.message)
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tether",
        description="Keeps an organization's connections to outside services. Settings are environment variables named "
        "TETHER_…; `tether doctor` says which are missing.",
        epilog="Example: tether doctor",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, summary: str, *, example: str, details: str = "") -> argparse.ArgumentParser:
        description = f"{summary[0].upper()}{summary[1:]}. {details}"
        return commands.add_parser(name, help=summary, description=description, epilog=f"Example: {example}")

    serve = command("serve", "answer GraphQL over HTTP and WebSocket", example="tether serve --host 0.0.0.0 --port 80")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", default=8000, type=_port, help="0 takes a free one (default: %(default)s)")

    serve.add_argument("--without-worker", action="store_true", help="leave what is done by itself to `tether worker`")

    command(
        "worker",
        "check, refresh and sync, without answering anybody",
        example="tether worker",
        details="`tether serve` does so, too, unless it is told not to. Any number may run beside each other on one "
        "PostgreSQL.",
    )
    command("migrate", "bring the database's tables up to date", example="tether migrate")
    command(
        "schema", "print the GraphQL schema", example="tether schema > schema.graphql", details="Needs no settings."
    )

    keys = command("keys", "make encryption keys", example="tether keys generate > encryption.key")
    generate = keys.add_subparsers(dest="action", required=True, metavar="ACTION").add_parser(
        "generate",
        help="print a new encryption key",
        description="Prints a new encryption key, for TETHER_ENCRYPTION_KEY or the file TETHER_ENCRYPTION_KEY_FILE. "
        "Keep a copy in a safe place: nothing else opens the credentials that were sealed with it.",
        epilog="Example: (umask 077 && tether keys generate > encryption.key)",
    )
    generate.add_argument("--development", action="store_true", help="a key that production refuses")

    token = command(
        "token",
        "print the token of a new API key",
        example='curl -H "Authorization: Bearer $(tether token --organization acme --user ada@acme.example '
        '--role ADMIN)" …',
        details="An organization, user or membership that doesn't exist is created, and a role that doesn't reach is "
        "raised. The token can't be shown again.",
    )
    token.add_argument("--organization", required=True, metavar="SLUG", help="such as acme")
    token.add_argument("--user", required=True, metavar="EMAIL", help="such as ada@acme.example")
    token.add_argument(
        "--role", required=True, type=_role, metavar="ROLE", help="the most that the key may do: " + ", ".join(Role)
    )

    command(
        "sample",
        "create the sample organization acme",
        example="TETHER_ENVIRONMENT=development tether sample",
        details="For development: with a GitHub and a Slack connection, if these are the sandbox's. "
        "What is there already stays as it is.",
    )
    webhooks = command("webhooks", "have webhooks processed again", example=_REPLAY)
    replay = webhooks.add_subparsers(dest="action", required=True, metavar="ACTION").add_parser(
        "replay",
        help="process stored webhooks once more",
        description="Has the running server process stored webhooks once more, and lists them. What a connection has "
        "heard before isn't applied again. Webhooks are kept for 30 days.",
        epilog=f"Example: {_REPLAY}",
    )
    which = replay.add_mutually_exclusive_group(required=True)
    which.add_argument("--delivery", metavar="ID", help="the service's own id of a delivery")
    which.add_argument("--since", type=_moment, metavar="MOMENT", help="all from then on, such as 2026-11-23T09:00:00Z")
    replay.add_argument("--service", metavar="SERVICE", help="only those of this one, such as github")
    documents = command("documents", "publish the documents that clients ask for by an id", example=_PUBLISH)
    _add_documents(documents.add_subparsers(dest="action", required=True, metavar="ACTION"))
    command("doctor", "say what is configured, what is missing and what to do about it", example="tether doctor")
    return parser


def _add_documents(actions: Any) -> None:
    publish = actions.add_parser(
        "publish",
        help="publish a manifest",
        description="Publishes all documents of a manifest, or none if one doesn't fit the schema and the limits. "
        "Takes what graphql-codegen, relay-compiler and Apollo's generate-persisted-query-manifest write. What was "
        "published before stays.",
        epilog=f"Example: {_PUBLISH}",
    )
    publish.add_argument("file", metavar="FILE", help="the manifest; - reads standard input")
    listing = actions.add_parser(
        "list",
        help="list what is published",
        description="Lists what is published, a line each that begins with the id: when a manifest has had it last, "
        "and when it was used last, to the hour.",
        epilog="Example: tether documents list --unused-for 90",
    )
    retire = actions.add_parser(
        "retire",
        help="answer documents no more",
        description="Answers documents no more, within seconds, wherever Tether runs. Publishing them again brings "
        "them back.",
        epilog="Example: tether documents retire --unused-for 90",
    )
    which = retire.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", nargs="*", default=[], metavar="ID", help="these ones")
    for parser in (listing, which):
        parser.add_argument(
            "--unused-for",
            type=_days,
            metavar="DAYS",
            help="those that no manifest has had and nobody has asked for in so many days",
        )


_PUBLISH: Final = "tether documents publish persisted-documents.json"
_REPLAY: Final = "tether webhooks replay --service github --since 2026-11-23T09:00:00Z"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError("a moment is written as 2026-11-23T09:00:00Z")
    return moment.astimezone(UTC)


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 36_500):
        raise argparse.ArgumentTypeError("a number of days is one from 1 to 36500")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def _role(text: str) -> Role:
    try:
        return Role(text.upper())
    except ValueError:
        raise argparse.ArgumentTypeError(f"a role is one of {', '.join(Role)}") from None


def _failed(*problems: str) -> int:
    for problem in problems:
        print(f"tether: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
