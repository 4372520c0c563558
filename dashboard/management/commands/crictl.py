"""`manage.py crictl NODE ps | pods | images | inspect ID | logs ID | calls`: a node's container runtime."""

from argparse import ArgumentParser
from typing import Any

import orjson

from cluster.kubelet import committed
from cluster.kubelet.committed import dialogue
from dashboard import crictl, observed
from dashboard.management import commanding
from dashboard.management.commanding import Refused, common, row_of

HEADS = {
    "ps": ("CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD", "NAMESPACE"),
    "pods": ("POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT"),
    "images": ("IMAGE", "TAG", "IMAGE ID", "SIZE"),
    "calls": ("TIME", "CALL", "ABOUT", "ANSWER"),
}


class Command(commanding.Command):
    help = "What the container runtime of a node knows: containers, sandboxes, images, logs, and the calls over CRI."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("node")
        parser.add_argument("verb", choices=(*HEADS, "inspect", "logs"))
        parser.add_argument("id", nargs="?", default="", help="of a container or sandbox, or how it begins")
        parser.add_argument("-a", "--all", action="store_true", help="ps: containers that have ended, too")
        parser.add_argument("--tail", type=int, default=100, help="logs: how many lines (default: 100)")
        common(parser)

    def act(self, options: dict[str, Any]) -> Any:
        self.verb, row, node = options["verb"], row_of(options["cluster"]), options["node"]
        machine = observed.machine(row, node)
        if "number" not in machine:
            raise Refused(f'nodes "{node}" not found: there is no such machine')
        if refusal := committed.refusal(machine):
            raise Refused(f"validate service connection: {refusal}")
        found = crictl.records(row, node)
        if self.verb in ("inspect", "logs"):
            record = crictl.find(found, options["id"])
            if record is None:
                raise Refused(f"container {options['id']!r} not found on {node}")
            if self.verb == "inspect":
                return crictl.inspected(row, record)
            lines = committed.tail([record], max(options["tail"], 0), row.sim_now, row.epoch)
            return {"lines": [line.text for line in lines]}
        tables = {
            "ps": lambda: crictl.ps(row, found, options["all"]),
            "pods": lambda: crictl.pods(row, found),
            "images": lambda: crictl.images(machine),
            "calls": lambda: [(f"{each.at / 1e6:.3f}", *each[1:]) for each in dialogue(found, machine, row.sim_now)],
        }
        return {"rows": tables[self.verb]()}

    def say(self, answer: Any) -> str:
        if self.verb == "inspect":
            return orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode()
        if self.verb == "logs":
            return "\n".join(answer["lines"])
        rows = [HEADS[self.verb], *answer["rows"]]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ("   ".join(f"{text:<{wide}}" for text, wide in zip(row, widths, strict=True)) for row in rows)
        return "\n".join(line.rstrip() for line in lines)
