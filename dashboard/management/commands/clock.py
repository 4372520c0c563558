"""`manage.py clock pause | resume | speed N | step | skip`: control over time."""

from argparse import ArgumentParser
from typing import Any

from dashboard.management import commanding
from dashboard.management.commanding import ask, common, row_of, seconds

LONG = 600.0  # Wall seconds that a skip may take.


class Command(commanding.Command):
    help = "Pause and resume a cluster's clock, change its speed, step, and skip waiting."

    def arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        common(actions.add_parser("pause", help="stop the clock"))
        common(actions.add_parser("resume", help="let it run again"))
        speed = actions.add_parser("speed", help="simulated seconds a second: 0.1 to 1000, or max")
        speed.add_argument("value")
        common(speed)
        step = actions.add_parser("step", help="pause, and take one step")
        step.add_argument("--by", choices=("item", "component", "tick"), default="item")
        common(step)
        skip = actions.add_parser("skip", help="jump to the next event that people wait for, or by some seconds")
        skip.add_argument("seconds", nargs="?", type=float)
        common(skip)

    def act(self, options: dict[str, Any]) -> Any:
        self.action, cluster = options["action"], row_of(options["cluster"]).name
        request: dict[str, Any] = {"type": "clock", "op": self.action}
        if self.action == "speed":
            request["value"] = options["value"]
        elif self.action == "step":
            request["by"] = options["by"]
        elif options.get("seconds") is not None:
            request["seconds"] = options["seconds"]
        answer = ask(cluster, request, LONG)
        row = row_of(cluster)
        return {**answer, "now": row.sim_now, "step": row.step, "revision": row.revision}

    def say(self, answer: Any) -> str:
        if self.action == "skip":
            waited = seconds(answer["until"] - answer["simTime"])
            return f"skipped {waited}: {answer['text']}; now {seconds(answer['now'])}"
        if self.action == "speed":
            return f"speed {answer['speed'] or 'max'}"
        return f"{self.action}: step {answer['step']} at {seconds(answer['now'])}"
