"""A node: what it has, what of it is promised to pods, and to which.

Mirrors:  k8s.io/kubectl/pkg/describe/describe.go (describeNodeResource)
"""

from django.utils.translation import gettext as _

from cluster.objects import Manifest, amounts, meta, pods, quantity
from cluster.objects.amounts import Amounts
from dashboard.webui.cells import Cell, Row, Section, fields, joined, mono, tone
from dashboard.webui.client import Client

SHOWN = ("cpu", "memory", "ephemeral-storage")


def node(server: Client, obj: Manifest) -> list[Section]:
    name, status = meta.name(obj), obj.get("status") or {}
    info = status.get("nodeInfo") or {}
    taints = [f"{each['key']}={each.get('value', '')}:{each['effect']}" for each in obj["spec"].get("taints") or ()]
    about = Section(
        _("Node"),
        fields(
            (_("Scheduling"), Cell(_("cordoned"), tone="pend") if obj["spec"].get("unschedulable") else ""),
            (_("Addresses"), joined(f"{each['type']} {each['address']}" for each in status.get("addresses") or ())),
            (_("Taints"), [mono(each) for each in taints]),
            (_("Kubelet"), info.get("kubeletVersion", "")),
            (_("Runtime"), info.get("containerRuntimeVersion", "")),
            (_("System"), joined(each for each in (info.get("osImage"), info.get("kernelVersion")) if each)),
            (_("Pod CIDR"), joined(obj["spec"].get("podCIDRs") or ())),
        ),
    )
    there = server.items("api/v1/pods", {"fieldSelector": f"spec.nodeName={name}"})
    working = [each for each in there if not pods.is_terminal(each)]
    return [about, _allocated(obj, working), _pods(working, obj)]


def _allocated(node: Manifest, working: list[Manifest]) -> Section:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    requests, limits = Amounts(), Amounts()
    for pod in working:
        requests = amounts.plus(requests, amounts.requests_of(pod))
        limits = amounts.plus(limits, amounts.limits_of(pod))
    asked, most = amounts.text(requests), amounts.text(limits)
    rows: list[Row] = []
    for name in SHOWN:
        whole = allocatable.get(name)
        parts = [_part(part.get(name, "0"), whole) for part in (asked, most)]
        rows.append([Cell(name), *parts, mono(whole or "")])
    held = Cell(f"{len(working)}", share=_share(str(len(working)), allocatable.get("pods")))
    rows.append([Cell("pods"), held, Cell(""), mono(allocatable.get("pods", ""))])
    columns = [_("Resource"), _("Requests"), _("Limits"), _("Allocatable")]
    return Section(_("Allocated resources"), columns=columns, rows=rows)


def _part(text: str, whole: str | None) -> Cell:
    share = _share(text, whole)
    return Cell(f"{text} ({share}%)" if share is not None else text, share=share)


def _share(text: str, whole: str | None) -> int | None:
    """Per cent, rounded down as kubectl does."""
    total = quantity.milli(whole) if whole else 0
    return quantity.milli(text) * 100 // total if total else None


def _pods(working: list[Manifest], node: Manifest) -> Section:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    rows = []
    for pod in sorted(working, key=meta.key):
        asked, most = amounts.text(amounts.requests_of(pod)), amounts.text(amounts.limits_of(pod))
        path = f"api/v1/namespaces/{meta.namespace(pod)}/pods/{meta.name(pod)}"
        phase = "Terminating" if meta.is_deleting(pod) else pods.phase(pod)
        ready = pods.is_ready(pod) or phase != "Running"
        cells = [_part(part.get(name, "0"), allocatable.get(name))._replace(share=None)
                 for name in ("cpu", "memory") for part in (asked, most)]  # fmt: skip
        rows.append(
            [
                Cell(meta.namespace(pod)),
                Cell(meta.name(pod), path),
                Cell(phase, tone=tone(phase) if ready else "pend"),
                *cells,
            ]
        )
    columns = [
        _("Namespace"),
        _("Pod"),
        _("Phase"),
        _("CPU requests"),
        _("CPU limits"),
        _("Memory requests"),
        _("Memory limits"),
    ]
    return Section(_("Pods on it"), columns=columns, rows=rows, note=_("No pods."))
