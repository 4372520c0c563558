"""The network, seen from a pod: what would happen to a connection to a Service, hop by hop. From a node: its rules.

Nothing is sent: the packet's way is followed over committed rows, by the same function that carries real ones.

Read next: cluster/network.py.
"""

from typing import Any

from django.utils.translation import gettext_lazy as _

from cluster import network
from cluster.gateway import pool
from cluster.gateway.site import Site
from cluster.kubeproxy import views
from cluster.objects import Manifest, meta
from dashboard.panels.panel import View

MOST = 200  # Services to choose from, and nodes with a route of their own row.
HOPS = {
    "no-power": _("%(node)s has no power."),
    "circles": _("The packet goes round in circles."),
    "stale": _("The rules of %(node)s are stale: no kube-proxy runs there."),
    "no-proxy": _("%(node)s has no rules: no kube-proxy was ever there."),
    "no-rule": _("No rule of %(node)s is for %(address)s."),
    "local": _("%(service)s has no endpoint on %(node)s, and its policy is Local."),
    "no-endpoints": _("%(service)s has no endpoints."),
    "rewritten": _("%(service)s: %(address)s becomes %(endpoint)s, one of %(number)s."),
    "api-server": _("kube-apiserver listens on %(address)s."),
    "nobody": _("No pod has the address %(address)s."),
    "outside": _("%(address)s is outside of the cluster: there is no Internet here."),
    "no-route": _("%(node)s has no route to the pods of %(to)s."),
    "answer-lost": _("The answer is lost: %(node)s has no route to the pods of %(to)s."),
    "routed": _("%(node)s sends it to %(to)s."),
    "denied": _("%(direction)s of %(pod)s: %(policies)s does not allow it."),
    "allowed": _("%(direction)s of %(pod)s: %(policies)s allows it."),
    "answers": _("%(address)s answers."),
    "listens": _("Container %(container)s of %(pod)s listens on port %(port)s."),
    "closed": _("Nothing listens on port %(port)s."),
    "dns-silent": _("No name server answers at %(server)s."),
    "dns-unknown": _("%(name)s: no such name."),
    "dns-found": _("%(name)s is %(address)s."),
}
SORTS = {
    "dns": _("name"), "rules": _("rules"), "policy": _("policy"), "route": _("route"), "node": _("machine"),
    "pod": _("pod"), "port": _("port"),
}  # fmt: skip
FATES = {
    network.CONNECTED: _("It gets through."),
    network.REFUSED: _("Connection refused."),
    network.SILENT: _("Nobody answers: the sender waits in vain."),
    network.UNREACHABLE: _("It can't be reached."),
}


def site_of(view: View) -> Site | None:
    return Site.of(pool.reader(), view.cluster.name)


def context(view: View, kind: str, key: str, obj: Manifest | None) -> dict[str, Any]:
    site = site_of(view)
    if site is None or obj is None:
        return {}
    return of_node(view, site, obj) if kind == "Node" else of_pod(view, site, obj)


# --- a pod ------------------------------------------------------------------------------------------------------


def of_pod(view: View, site: Site, pod: Manifest) -> dict[str, Any]:
    """`targets`: what can be chosen; `to`: what is; `fate`, `hops`: how a connection would go."""
    wished = view.wish("to")
    targets = [target for service in site.list("Service") for target in _targets(service)][:MOST]
    chosen = next((target for target in targets if target["value"] == wished), None)
    found: dict[str, Any] = {"targets": targets, "to": wished if chosen else ""}
    if chosen is None or not (pod.get("status") or {}).get("podIP"):
        return {**found, "homeless": not (pod.get("status") or {}).get("podIP")}
    seen = network.x_ray(site, pod, chosen["host"], chosen["port"], chosen["protocol"])
    return {
        **found,
        "fate": FATES[seen.fate],
        "good": seen.fate == network.CONNECTED,
        "hops": [{"sort": SORTS[hop.sort], "ok": hop.ok, "text": HOPS[hop.code] % hop.facts} for hop in seen.hops],
        "command": f"kubectl exec {meta.name(pod)} -- wget -qO- -T 2 {chosen['host']}:{chosen['port']}",
    }


def _targets(service: Manifest) -> list[dict[str, Any]]:
    if service["spec"].get("type") == "ExternalName":
        return []
    host = f"{meta.name(service)}.{meta.namespace(service)}"
    return [
        {
            "value": f"{meta.key(service)}:{port['port']}/{port.get('protocol', 'TCP')}",
            "title": f"{meta.key(service)}:{port['port']}" + ("/UDP" if port.get("protocol") == "UDP" else ""),
            "host": host,
            "port": int(port["port"]),
            "protocol": port.get("protocol", "TCP"),
        }
        for port in service["spec"].get("ports") or ()
    ]


# --- a node -----------------------------------------------------------------------------------------------------


def of_node(view: View, site: Site, node: Manifest) -> dict[str, Any]:
    """`rules`: as `tool` shows them; `written`: live, stale or none; `routes`: to the other machines."""
    name, tool = meta.name(node), view.wish("tool", "iptables")
    tool = tool if tool in views.MODES else "iptables"
    machine = site.machine(name) or {}
    table = network.rules_of(site, name)
    broken = machine.get("unrouted") or []
    others = [other for other, _ in site.machines() if other != name]
    return {
        "node": name,
        "tools": [{"name": each, "title": title, "on": each == tool} for each, title in views.MODES.items()],
        "written": "none" if table is None else "stale" if "frozen" in (machine.get("proxy") or {}) else "live",
        "rules": network.view(site, name, tool),
        "routes": [{"to": other, "broken": other in broken} for other in others[:MOST]],
    }
