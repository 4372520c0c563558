"""What our commands share: where the cluster is, how answers are printed, how a refusal ends.

Exit codes: 0 done, 1 refused (with one line that says why), 2 the command itself was wrong. With `--json` both an
answer and a refusal are one JSON object on standard output.

Commands are thin on purpose: they put the same requests into the same inbox as the page, and read committed rows.
"""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from cluster import inbox
from cluster.models import Cluster
from cluster.objects.errors import ApiError


class Refused(Exception):
    """The command was understood and can't be done. The message is one line."""


class Command(BaseCommand):
    """`act(options)` returns what `--json` prints; `say(answer)` is the same for people."""

    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.arguments(parser)

    def arguments(self, parser: ArgumentParser) -> None:
        """Declare what the command takes."""
        raise NotImplementedError

    def act(self, options: dict[str, Any]) -> Any:
        raise NotImplementedError

    def say(self, answer: Any) -> str:
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            answer = self.act(options)
        except (Refused, ApiError) as error:
            self.refuse(str(error), options)
        except redis.RedisError:
            self.refuse(inbox.UNREACHABLE, options)
        except DatabaseError as error:
            self.refuse(f"the database can't be read: {error} (was it ever started? `make run`)", options)
        else:
            self.stdout.write(json.dumps(answer, indent=2) if options.get("json") else self.say(answer))

    def refuse(self, message: str, options: dict[str, Any]) -> None:
        if options.get("json"):
            self.stdout.write(json.dumps({"error": message}))
            sys.exit(1)
        raise CommandError(message)


def common(parser: ArgumentParser, cluster: bool = True) -> None:
    """The options that all commands have."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    if cluster:
        parser.add_argument("--cluster", default="default", help="which cluster (default: default)")


def ask(cluster: str, request: dict[str, Any], timeout: float = inbox.TIMEOUT) -> dict[str, Any]:
    """Put one request into the inbox and wait for its answer. Errors: Refused."""
    answer = inbox.call_sync(cluster, request, timeout)
    body: dict[str, Any] = answer.json()
    if answer.status >= 400:
        raise Refused(body.get("message", f"refused with status {answer.status}"))
    return body


def row_of(name: str) -> Cluster:
    """The committed row of cluster `name`. Errors: Refused, naming those that exist."""
    row = Cluster.objects.filter(name=name).first()
    if row is None:
        known = ", ".join(Cluster.objects.order_by("name").values_list("name", flat=True)) or "none"
        raise Refused(f'clusters "{name}" not found; there are: {known}')
    return row


def seconds(microseconds: int) -> str:
    return f"{microseconds / 1_000_000:.3f} s"


def contents_of(file: str) -> str:
    """What is in a file that somebody named; - is standard input. Errors: Refused."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file} can't be read: {error}") from error
