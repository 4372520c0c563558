"""`manage.py network trace POD HOST:PORT | rules NODE | break FROM TO | mend FROM TO`: packets, looked through."""

from argparse import ArgumentParser
from typing import Any

from cluster import network
from cluster.gateway import pool
from cluster.gateway.site import Site
from cluster.kubeproxy import views
from cluster.models import Cluster
from dashboard.management import commanding
from dashboard.management.commanding import Refused, ask, common, row_of


class Command(commanding.Command):
    help = "Follow a packet without sending it, show a node's rules, break routes between nodes and mend them."

    def arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        trace = actions.add_parser("trace", help="every hop of a connection from a pod, and which one is broken")
        trace.add_argument("pod")
        trace.add_argument("target", metavar="HOST:PORT", help="such as web:80, web.default:80 or 10.244.1.2:80")
        trace.add_argument("-n", "--namespace", default="default")
        trace.add_argument("--udp", action="store_true")
        common(trace)
        rules = actions.add_parser("rules", help="what kube-proxy wrote on a node")
        rules.add_argument("node")
        rules.add_argument("--as", dest="tool", choices=tuple(views.MODES), default="iptables")
        common(rules)
        for name, text in (("break", "take the route from one node to another away"), ("mend", "put it back")):
            action = actions.add_parser(name, help=text)
            action.add_argument("source", metavar="FROM")
            action.add_argument("to", metavar="TO")
            common(action)

    def act(self, options: dict[str, Any]) -> Any:
        self.action, cluster = options["action"], options["cluster"]
        if self.action in ("break", "mend"):
            return ask(cluster, {"type": "route", "from": options["source"], "to": options["to"], "op": self.action})
        site = site_of(row_of(cluster))
        return traced(site, options) if self.action == "trace" else shown(site, options["node"], options["tool"])

    def say(self, answer: Any) -> str:
        if self.action == "rules":
            return str(answer["rules"]).rstrip("\n")
        if self.action == "trace":
            lines = [f"{'ok' if hop['ok'] else '--':<3} {hop['sort']:<7} {hop['said']}" for hop in answer["hops"]]
            return "\n".join([*lines, answer["fate"]])
        return f"route from {answer['from']} to {answer['to']} {'broken' if answer['broken'] else 'mended'}"


def site_of(row: Cluster) -> Site:
    """The cluster as its rows are now. Errors: Refused."""
    site = Site.of(pool.reader(), row.name)
    if site is None:
        raise Refused(f'clusters "{row.name}" not found')
    return site


def traced(site: Site, options: dict[str, Any]) -> dict[str, Any]:
    """Errors: Refused."""
    host, colon, port = options["target"].rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port[:6]) < 65536:
        raise Refused(f"{options['target']!r} must look like HOST:PORT, such as web:80")
    pod = site.get("Pod", options["namespace"], options["pod"])
    if pod is None:
        raise Refused(f'pods "{options["pod"]}" not found in namespace {options["namespace"]}')
    if not (pod.get("status") or {}).get("podIP"):
        raise Refused(f"pod {options['pod']} has no address yet")
    seen = network.x_ray(site, pod, host, int(port), "UDP" if options["udp"] else "TCP")
    return {"fate": seen.fate, "hops": [{"sort": h.sort, "at": h.at, "ok": h.ok, "said": h.said} for h in seen.hops]}


def shown(site: Site, node: str, mode: str) -> dict[str, Any]:
    """Errors: Refused."""
    if site.machine(node) is None:
        raise Refused(f'nodes "{node}" not found: there is no such machine')
    return {"node": node, "rules": network.view(site, node, mode)}
