"""`manage.py crictl NODE WORDS…`: what `crictl WORDS…` says on a node; `calls`: what its kubelet asked the runtime."""

from argparse import REMAINDER, ArgumentParser
from typing import Any

from cluster.kubelet import committed
from dashboard import crictl, observed
from dashboard.management import commanding
from dashboard.management.commanding import Refused, common, row_of

CALLS = ("TIME", "TOOK", "CALL", "ABOUT", "REQUEST", "ANSWER")


class Command(commanding.Command):
    help = (
        "What the container runtime of a node knows, as crictl prints it on the node (ps, pods, images, inspect ID, "
        "logs ID …), and `calls`: what the kubelet asked it over CRI."
    )

    def arguments(self, parser: ArgumentParser) -> None:
        common(parser)
        parser.add_argument("node")
        parser.add_argument("words", nargs=REMAINDER, help="of crictl, with their options; or: calls")

    def act(self, options: dict[str, Any]) -> Any:
        row, node, words = row_of(options["cluster"]), options["node"], options["words"]
        machine = observed.machine(row, node)
        if "number" not in machine:
            raise Refused(f'nodes "{node}" not found: there is no such machine')
        if words[:1] == ["calls"]:
            return {"calls": crictl.calls(row, node)}
        if not machine["power"]:
            raise Refused(f"machine {node} is off: nobody answers there")
        said = committed.crictl.run(words, crictl.seen(row, node, machine))
        if said.code:
            raise Refused(f"{said.err}{said.out}".strip().removeprefix("FATA[0000] "))
        return {"out": said.out, "err": said.err}

    def say(self, answer: Any) -> str:
        if "out" in answer:
            return f"{answer['out']}{answer['err']}".rstrip("\n")
        rows = [
            (call["at"], "…" if call["took"] is None else f"{call['took']} ms", call["call"], call["about"],
             call["request"], call["answer"])
            for call in answer["calls"]
        ]  # fmt: skip
        return committed.crictl.table(CALLS, rows, least=0).rstrip("\n")
