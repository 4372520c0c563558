"""What networking.k8s.io prints, and the handler of a RuntimeClass.

Mirrors:  kubernetes/pkg/printers/internalversion/printers.go
"""

from typing import Any

from cluster.apiserver.table.columns import AGE, NAME, Column
from cluster.apiserver.table.printer import NONE, Printer, age, field, selector_text, simple
from cluster.objects import Manifest, meta

MOST_HOSTS = 3  # Shown before "+ 2 more...".

INGRESS_COLUMNS = (
    NAME,
    Column("Class", text="The name of the IngressClass resource that should be used for additional configuration"),
    Column("Hosts", text="Hosts that incoming requests are matched against before the ingress rule"),
    Column("Address", text="Address is a list containing ingress points for the load-balancer"),
    Column("Ports", text="Ports of TLS configurations that open"),
    AGE,
)


def ingress(obj: Manifest, now: int) -> list[Any]:
    spec = obj.get("spec") or {}
    points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    addresses = [point.get("ip") or point.get("hostname") or "" for point in points]
    ports = "80, 443" if spec.get("tls") else "80"
    known, hosts = spec.get("ingressClassName") or NONE, _hosts(spec.get("rules") or [])
    return [meta.name(obj), known, hosts, ",".join(filter(None, addresses)), ports, age(obj, now)]


def _hosts(rules: list[Manifest]) -> str:
    named = [rule["host"] for rule in rules if rule.get("host")]
    shown = named[:MOST_HOSTS]
    more = f" + {len(named) - MOST_HOSTS} more..." if len(named) > MOST_HOSTS else ""
    return (",".join(shown) or "*") + more


def ingress_class(obj: Manifest, now: int) -> list[Any]:
    spec = obj.get("spec") or {}
    given, shown = spec.get("parameters"), NONE
    if given:
        shown = given.get("kind", "") + (f".{given['apiGroup']}" if given.get("apiGroup") else "")
        shown += "/" + given.get("name", "")
    return [meta.name(obj), spec.get("controller", ""), shown, age(obj, now)]


def ip_address(obj: Manifest, now: int) -> list[Any]:
    """The real server prints an age here without having declared a column for it."""
    parent = (obj.get("spec") or {}).get("parentRef") or {}
    group, resource = parent.get("group", ""), parent.get("resource", "")
    shown = f"{resource}.{group}" if group else resource
    where = "/".join(filter(None, (shown, parent.get("namespace"), parent.get("name"))))
    return [meta.name(obj), where, age(obj, now)]


PRINTERS: dict[tuple[str, str], Printer] = {
    ("networking.k8s.io", "Ingress"): Printer(INGRESS_COLUMNS, ingress),
    ("networking.k8s.io", "IngressClass"): Printer(
        (
            NAME,
            Column("Controller", text="Controller that is responsible for handling this class"),
            Column("Parameters", text="A reference to a resource with additional parameters"),
            AGE,
        ),
        ingress_class,
    ),
    ("networking.k8s.io", "IPAddress"): Printer(
        (NAME, Column("ParentRef", doc="networking_v1.IPAddressSpec.parentRef")), ip_address
    ),
    ("networking.k8s.io", "NetworkPolicy"): simple(
        (
            Column("Pod-Selector", doc="networking_v1.NetworkPolicySpec.podSelector"),
            lambda obj: selector_text((obj.get("spec") or {}).get("podSelector") or {}),
        )
    ),
    ("networking.k8s.io", "ServiceCIDR"): simple(
        (
            Column("CIDRs", doc="networking_v1.ServiceCIDRSpec.cidrs"),
            lambda obj: ",".join((obj.get("spec") or {}).get("cidrs") or []),
        )
    ),
    ("node.k8s.io", "RuntimeClass"): simple((Column("Handler"), field("handler"))),
}
