"""A pod: where it runs, its containers and their states, what they mount, its volumes."""

from typing import Any

from django.utils.translation import gettext as _

from cluster.objects import Manifest, meta
from dashboard.webui.cells import Cell, Row, Section, fields, joined, mono, tone
from dashboard.webui.client import Client

PARTS = (
    ("containers", "containerStatuses"),
    ("initContainers", "initContainerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)
SOURCES = {"configMap": ("configmaps", "name"), "secret": ("secrets", "secretName"),
           "persistentVolumeClaim": ("persistentvolumeclaims", "claimName")}  # fmt: skip


def pod(server: Client, obj: Manifest) -> list[Section]:
    return [_where(obj), _containers(obj), _mounts(obj), _volumes(obj)]


def _where(pod: Manifest) -> Section:
    spec, status = pod["spec"], pod.get("status") or {}
    node, account = spec.get("nodeName", ""), spec.get("serviceAccountName", "")
    namespace = f"api/v1/namespaces/{meta.namespace(pod)}"
    return Section(
        _("Where it runs"),
        fields(
            (_("Node"), Cell(node, f"api/v1/nodes/{node}") if node else ""),
            ("IP", joined(each["ip"] for each in status.get("podIPs") or ())),
            (_("QoS class"), status.get("qosClass", "")),
            (_("Priority"), spec.get("priorityClassName") or spec.get("priority")),
            (_("Service account"), Cell(account, f"{namespace}/serviceaccounts/{account}") if account else ""),
            (_("Restart policy"), spec.get("restartPolicy", "")),
            (_("Reason"), status.get("reason", "")),
            (_("Message"), status.get("message", "")),
        ),
    )


def _containers(pod: Manifest) -> Section:
    columns = [_("Name"), _("State"), _("Ready"), _("Restarts"), _("Image"), _("Ports"), _("Requests"), _("Limits")]
    return Section(_("Containers"), columns=columns, rows=[_container(pod, *each) for each in _every(pod)])


def _every(pod: Manifest) -> list[tuple[Manifest, Manifest, str]]:
    """(container, its status, which part of the spec it is of)."""
    found = []
    for part, statuses in PARTS:
        known = {each["name"]: each for each in (pod.get("status") or {}).get(statuses) or ()}
        found += [(each, known.get(each["name"], {}), part) for each in pod["spec"].get(part) or ()]
    return found


def _container(pod: Manifest, container: Manifest, status: Manifest, part: str) -> Row:
    text, colour = _state(status)
    resources = container.get("resources") or {}
    ports = joined(f"{each['containerPort']}/{each.get('protocol', 'TCP')}" for each in container.get("ports") or ())
    name = container["name"] if part == "containers" else f"{container['name']} ({part.removesuffix('Containers')})"
    ready = {True: _("Yes"), False: _("No")}.get(status.get("ready"), "")  # type: ignore[arg-type]
    asked = (joined(f"{k} {v}" for k, v in (resources.get(each) or {}).items()) for each in ("requests", "limits"))
    return [
        Cell(name),
        Cell(text, tone=colour),
        Cell(ready),
        Cell(status.get("restartCount", 0)),
        mono(container.get("image", "")),
        Cell(ports),
        *(Cell(each) for each in asked),
    ]


def _state(status: Manifest) -> tuple[str, str]:
    """(what it does, its tone)."""
    state: dict[str, Any] = status.get("state") or {}
    last = (status.get("lastState") or {}).get("terminated")
    before = f" ({_('before')}: {_ended(last)})" if last else ""
    if "running" in state:
        return f"Running{before}", "run" if status.get("ready") else "pend"
    if "waiting" in state:
        reason = state["waiting"].get("reason", "Waiting")
        return f"{reason}{before}", tone(reason) or "pend"
    if "terminated" in state:
        return _ended(state["terminated"]), tone(state["terminated"].get("reason") or "Terminated")
    return "Waiting", "pend"


def _ended(ended: Manifest) -> str:
    code = ended.get("exitCode")
    return (ended.get("reason") or "Terminated") + (f", exit code {code}" if code else "")


def _mounts(pod: Manifest) -> Section:
    rows = [
        [
            Cell(container["name"]),
            mono(mount["mountPath"]),
            Cell(mount["name"]),
            mono(mount.get("subPath", "")),
            Cell(_("read only") if mount.get("readOnly") else ""),
        ]
        for container, *_rest in _every(pod)
        for mount in container.get("volumeMounts") or ()
    ]
    return Section(_("Mounts"), columns=[_("Container"), _("Path"), _("Volume"), _("Sub path"), ""], rows=rows)


def _volumes(pod: Manifest) -> Section:
    rows = []
    for volume in pod["spec"].get("volumes") or ():
        source = next((key for key in volume if key != "name"), "")
        plural, field = SOURCES.get(source, ("", ""))
        name = str((volume.get(source) or {}).get(field, "")) if plural else ""
        path = f"api/v1/namespaces/{meta.namespace(pod)}/{plural}/{name}" if name else ""
        rows.append([Cell(volume["name"]), Cell(source), Cell(name, path)])
    return Section(_("Volumes"), columns=[_("Name"), _("Source"), _("Object")], rows=rows)
