"""`manage.py component …`: the control plane's processes.

list | stop NAME | start NAME | restart NAME | replicas PROCESS N | configure kube-scheduler [-f FILE | --default]
"""

from argparse import ArgumentParser
from typing import Any

from cluster.scheduler.profile import SCHEDULER_NAME
from dashboard.management import commanding
from dashboard.management.commanding import ask, common, contents_of, row_of
from dashboard.panels import control_plane, scheduler_configuration


class Command(commanding.Command):
    help = "Stop and start controllers and replicas of the control plane; see what waits for them."

    def arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        common(actions.add_parser("list", help="processes, components and their queues"))
        for name, text in (
            ("stop", "hold a controller (its queue fills), or kill a replica such as kube-scheduler/1"),
            ("start", "let it go on"),
            ("restart", "crash it and start it: its queue is lost, and it lists everything anew"),
        ):
            action = actions.add_parser(name, help=text)
            action.add_argument("name")
            common(action)
        replicas = actions.add_parser("replicas", help="so many replicas of a process")
        replicas.add_argument("process")
        replicas.add_argument("count", type=int)
        common(replicas)
        configure = actions.add_parser("configure", help="print its configuration, or start it with another one")
        configure.add_argument("process", choices=("kube-scheduler",))
        configure.add_argument("-f", "--file", help="a KubeSchedulerConfiguration, YAML; - for standard input")
        configure.add_argument("--default", action="store_true", help="without a configuration")
        common(configure)

    def act(self, options: dict[str, Any]) -> Any:
        self.action, cluster = options["action"], options["cluster"]
        if self.action == "list":
            return control_plane.look(row_of(cluster))["processes"]
        if self.action == "replicas":
            return ask(cluster, {"type": "replicas", "process": options["process"], "count": options["count"]})
        if self.action == "configure":
            if not options["file"] and not options["default"]:
                return {"configuration": scheduler_configuration.text_of(row_of(cluster))}
            text = "" if options["default"] else contents_of(options["file"])
            return ask(cluster, {"type": "scheduler-configure", "configuration": text})
        return ask(cluster, {"type": f"component-{self.action}", "component": options["name"]})

    def say(self, answer: Any) -> str:
        if self.action == "list":
            return "\n".join([f"{'NAME':<44} {'STATE':<9} {'WAITING':>7}  NEXT", *_lines(answer)])
        if self.action == "replicas":
            return f"{answer['process']}: {', '.join(answer['replicas'])}"
        if self.action == "configure":
            if "configuration" in answer:
                return answer["configuration"] or f"# none: one profile, {SCHEDULER_NAME}"
            return f"{answer['process']} starts anew; profiles: {', '.join(answer['profiles'])}"
        return f"component/{answer['component']} {'runs' if answer['running'] else 'stopped'}"


def _lines(processes: list[dict[str, Any]]) -> list[str]:
    lines = []
    for process in processes:
        for row in process["replicas"]:
            state = "stopped" if not row["on"] else "leads" if row["leads"] else "standby"
            lines.append(f"{row['name']:<44} {state}")
        for row in process["components"]:
            state = "stopped" if row["held"] else "running" if process["leads"] else "down"
            lines.append(f"  {row['name']:<42} {state:<9} {row['waiting']:>7}  {', '.join(row['keys'][:2])}".rstrip())
    return lines
