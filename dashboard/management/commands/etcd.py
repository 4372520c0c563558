"""`manage.py etcd status | stop | start | cut | join | remove MEMBER | add`: the members of etcd's Raft group."""

from argparse import ArgumentParser
from typing import Any

from dashboard import members
from dashboard.management import commanding
from dashboard.management.commanding import ask, common, row_of

DONE = {"stop": "stopped", "start": "started", "cut": "cut off", "join": "joined", "remove": "removed", "add": "added"}


class Command(commanding.Command):
    help = "Stop, start, cut off and join etcd's members; add and remove them."

    def arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        common(actions.add_parser("status", help="every member: role, term, index"))
        common(actions.add_parser("add", help="a member more"))
        for name, text in (
            ("stop", "stop a member"),
            ("start", "start it again"),
            ("cut", "cut its links to the other members"),
            ("join", "restore its links"),
            ("remove", "remove a member from the group"),
        ):
            action = actions.add_parser(name, help=text)
            action.add_argument("member")
            common(action)

    def act(self, options: dict[str, Any]) -> Any:
        self.action, cluster = options["action"], options["cluster"]
        if self.action == "status":
            return members.look(row_of(cluster))
        return ask(cluster, {"type": "etcd", "op": self.action, "member": options.get("member", "")})

    def say(self, answer: Any) -> str:
        if self.action != "status":
            quorum = "" if answer["writable"] else "; etcd takes no writes now"
            return f"member/{answer['member']} {DONE[self.action]}{quorum}"
        head = f"{'MEMBER':<10} {'ID':<17} {'STATE':<9} {'ROLE':<14} {'TERM':>5} {'INDEX':>9} {'LAG':>7}"
        return "\n".join([head, *(_line(row) for row in answer["members"])])


def _line(row: dict[str, Any]) -> str:
    state = "stopped" if not row["on"] else "cut off" if row["cut"] else "running"
    role = row["role"] if row["on"] else "-"
    return f"{row['name']:<10} {row['id']:<17} {state:<9} {role:<14} {row['term']:>5} {row['index']:>9} {row['lag']:>7}"
