"""`manage.py node ACTION NAME`: what happens to machines and their runtimes; no API server is asked."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from dashboard import kubelet_flags
from dashboard.management import commanding
from dashboard.management.commanding import Refused, ask, common, contents_of

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class Command(commanding.Command):
    help = "Power machines off and on, stop their container runtimes, run static pods, add them and take them away."

    def arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        for name, text in (
            ("power-off", "pull the plug"),
            ("power-on", "switch it on again"),
            ("shutdown", "shut it down in order: its kubelet ends the pods first, 30 s at most"),
            ("runtime-stop", "stop its container runtime; containers and kubelet go on"),
            ("runtime-start", "start its container runtime again"),
            ("remove", "take the machine away, and its Node object"),
        ):
            action = actions.add_parser(name, help=text)
            action.add_argument("name")
            common(action)
        for name, text in (
            ("static-pod-add", "put a manifest into its /etc/kubernetes/manifests"),
            ("static-pod-remove", "take a manifest away"),
        ):
            action = actions.add_parser(name, help=text)
            action.add_argument("name")
            action.add_argument("file", help="its name in that directory, such as web.yaml")
            if name == "static-pod-add":
                action.add_argument(
                    "-f", "--from", dest="source", default="", help="the file here (default: FILE); -: stdin"
                )
            common(action)
        add = actions.add_parser("add", help="put a machine into the rack and switch it on")
        add.add_argument("name")
        add.add_argument("--cpu", default="4", help="such as 4 or 500m (default: 4)")
        add.add_argument("--memory", default="8Gi", help="such as 8Gi (default: 8Gi)")
        add.add_argument("--pods", default=110, type=int, help="how many pods it takes (default: 110)")
        add.add_argument("--storage", default="", help="its disk, such as 40Gi (default: 100Gi)")
        add.add_argument(
            "--inodes", default=0, type=int, help="how many files the disk takes (default: one per 16 KiB)"
        )
        add.add_argument("--pids", default=0, type=int, help="how many processes there can be (default: 4194304)")
        add.add_argument("--zone", default="", help="such as sol-1b (default: the cloud's next in turn, or none)")
        add.add_argument("--runtime", default="", help="containerd (the default), cri-o, docker or rkt")
        add.add_argument("--label", action="append", default=[], metavar="KEY=VALUE")
        add.add_argument("--taint", action="append", default=[], metavar="KEY=VALUE:EFFECT")
        for flag in kubelet_flags.FLAGS:
            add.add_argument(flag, default=None, metavar="VALUE", help="as of a kubelet")
        common(add)

    def act(self, options: dict[str, Any]) -> Any:
        self.action, name, cluster = options["action"], options["name"], options["cluster"]
        if self.action == "add":
            return ask(cluster, {"type": "node-add", "name": name, **capacity(options)})
        if self.action == "remove":
            return ask(cluster, {"type": "node-remove", "node": name})
        if self.action.startswith("runtime-"):
            return ask(cluster, {"type": "runtime", "node": name, "op": self.action.removeprefix("runtime-")})
        if self.action.startswith("static-pod-"):
            return ask(cluster, {"type": "static-pod", "node": name, **manifest(self.action, options)})
        return ask(cluster, {"type": self.action, "node": name})

    def say(self, answer: Any) -> str:
        if "runtime" in answer:
            return f"{answer['runtime']} on node/{answer['node']} {'stopped' if answer['stopped'] else 'started'}"
        if "file" in answer:
            done = "written" if answer["op"] == "add" else "removed"
            refused = f"\nits kubelet does not take it: {answer['refused']}" if answer["refused"] else ""
            return f"node/{answer['node']}: {answer['file']} {done}{refused}"
        words = {"add": "added", "remove": "removed", "power-off": "powered off", "power-on": "powered on"}
        words["shutdown"] = "is shutting down"
        return f"node/{answer['node']} {words[self.action]}"


def capacity(options: dict[str, Any]) -> dict[str, Any]:
    """The machine's spec from the command line. Errors: Refused."""
    if options["pods"] < 0:
        raise Refused(f"--pods is {options['pods']}; it must be 0 or more")
    labels = dict(label_of(text) for text in options["label"])
    spec = {"cpu": options["cpu"], "memory": options["memory"], "pods": options["pods"]}
    spec |= {name: options[name] for name in ("storage", "inodes", "pids", "zone", "runtime") if options[name]}
    flags = {flag: options[flag.lstrip("-").replace("-", "_")] for flag in kubelet_flags.FLAGS}
    try:
        kubelet = kubelet_flags.given([f"{flag}={text}" for flag, text in flags.items() if text is not None])
    except ValueError as error:
        raise Refused(str(error)) from None
    spec |= {"kubelet": kubelet} if kubelet else {}
    return {**spec, "labels": labels, "taints": [taint_of(text) for text in options["taint"]]}


def manifest(action: str, options: dict[str, Any]) -> dict[str, Any]:
    """What a manifest's input says: op, file, text. Errors: Refused."""
    path = Path(options["file"])
    if action == "static-pod-remove":
        return {"op": "remove", "file": path.name}
    return {"op": "add", "file": path.name, "text": contents_of(options["source"] or options["file"])}


def label_of(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise Refused(f"--label {text}: it must look like KEY=VALUE")
    return key, value


def taint_of(text: str) -> dict[str, str]:
    """`key=value:Effect`, `key:Effect` or `key=:Effect`, as in `kubectl taint`."""
    rest, separator, effect = text.rpartition(":")
    key, _, value = rest.partition("=")
    if not separator or not key or effect not in EFFECTS:
        raise Refused(f"--taint {text}: it must look like KEY=VALUE:EFFECT, with one of: {', '.join(EFFECTS)}")
    return {"key": key, **({"value": value} if value else {}), "effect": effect}
