"""`manage.py logs CLUSTER QUERY`: lines of containers and components that answer, as the page's log panel finds them.

python manage.py logs default error --since 10m
python manage.py logs default '{component="kube-scheduler"} |= "Unable to schedule"' --context 3
python manage.py logs default '{namespace="shop"} | json | status >= 500' --follow
"""

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

import orjson

from cluster import inbox
from cluster.logstore import logql, pipeline, store
from cluster.logstore.store import Entry
from cluster.models import Cluster
from dashboard import logsearch
from dashboard.logsearch import Asked
from dashboard.management import commanding
from dashboard.management.commanding import Refused, common, row_of
from dashboard.templatetags.orrery import simtime

SECOND = 1_000_000
PERIOD = 0.5  # Wall seconds between looks of --follow.
LIMIT, MOST, MOST_CONTEXT = 200, 5_000, 100


class Command(commanding.Command):
    help = "Lines that answer a query: words, or LogQL if it begins with a brace. From loki, or else from the nodes."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster")
        parser.add_argument("query", help="such as 'error' or '{pod=~\"web.*\"} |= \"error\"'")
        parser.add_argument("--since", default="1h", help="of simulated time before now, such as 30s, 10m, 2h (1h)")
        parser.add_argument("--limit", type=int, default=LIMIT, help=f"of lines, the newest; at most {MOST}")
        parser.add_argument("--context", type=int, default=0, metavar="N", help="lines of the stream around each")
        parser.add_argument("--follow", "-f", action="store_true", help="go on with what arrives, until Ctrl-C")
        common(parser, cluster=False)

    def act(self, options: dict[str, Any]) -> Any:
        row = row_of(options["cluster"])
        if not 0 < options["limit"] <= MOST:
            raise Refused(f"--limit is {options['limit']}; it must be from 1 to {MOST}")
        if not 0 <= options["context"] <= MOST_CONTEXT:
            raise Refused(f"--context is {options['context']}; it must be from 0 to {MOST_CONTEXT}")
        try:
            query = logql.parse(logsearch.logql_of(options["query"], {}))
            start = max(row.sim_now - round(pipeline.seconds(options["since"]) * SECOND), 0)
            if options["follow"]:
                self._follow(row, query, start, options)
                return {"problem": "", "lines": []}
            return self._found(row, query, start, options)
        except (ValueError, *logsearch.Bad) as error:
            raise Refused(str(error)) from None

    def _found(self, row: Cluster, query: logql.Query, start: int, options: dict[str, Any]) -> dict[str, Any]:
        problem = logsearch.standing(row).problem
        asked = Asked(query, start, row.sim_now + 1, options["limit"])
        answer = (logsearch.from_nodes if problem else logsearch.from_store)(row, asked)
        head = {"from": "nodes" if problem else "store", "problem": problem, "more": answer.more}
        if not options["context"]:
            return {**head, "lines": [shown(entry) for entry in answer.entries]}
        found = {entry.key for entry in answer.entries}
        groups = [around(row, not problem, entry, options["context"]) for entry in answer.entries]
        return {**head, "groups": [[{**shown(each), "found": each.key in found} for each in group] for group in groups]}

    def _follow(self, row: Cluster, query: logql.Query, start: int, options: dict[str, Any]) -> None:
        try:
            for entries in arriving(row, query, start, options["limit"]):
                for entry in entries:
                    told = shown(entry)
                    self.stdout.write(orjson.dumps(told).decode() if options["json"] else text_of(told))
                self.stdout.flush()
                time.sleep(PERIOD)
        except KeyboardInterrupt:
            return

    def say(self, answer: Any) -> str:
        note = f"loki does not answer ({answer['problem']}): read on the nodes, as kubectl logs does"
        head = [f"# {note}"] if answer["problem"] else []
        if "groups" in answer:
            blocks = [
                "\n".join(f"{'>' if told['found'] else ' '} {text_of(told)}" for told in g) for g in answer["groups"]
            ]
            return "\n".join([*head, "\n--\n".join(blocks)])
        return "\n".join([*head, *map(text_of, answer["lines"])])


def around(row: Cluster, stored: bool, entry: Entry, count: int) -> list[Entry]:
    stream = orjson.loads(entry.origin or entry.stream)
    return logsearch.around(row, stored, stream, entry.key, count)


def arriving(row: Cluster, query: logql.Query, start: int, limit: int) -> Iterator[list[Entry]]:
    """What there is, and then at each look what has arrived since; of the store if it answers when this begins."""
    stored, told = not logsearch.standing(row).problem, start
    tail = store.Tail(row.pk, query, start, limit)
    while True:
        inbox.follow(row.name)
        row.refresh_from_db(fields=["sim_now"])
        if stored:
            yield tail.more(row.sim_now, store.rows)
        else:
            yield logsearch.from_nodes(row, Asked(query, told, row.sim_now, limit)).entries
            told = row.sim_now


def shown(entry: Entry) -> dict[str, Any]:
    """{at: microseconds of simulated time, labels, text}"""
    return {"at": entry.at, "labels": orjson.loads(entry.stream), "text": entry.text}


def text_of(told: dict[str, Any]) -> str:
    labels = told["labels"]
    where = f"{labels.get('namespace', '')}/{labels.get('pod', '')}" if "pod" in labels else labels.get("node", "")
    who = labels.get("container") or labels.get("component", "")
    return f"{simtime(told['at'])} {where} {who}  {told['text']}"
