"""Services with their endpoints, and Ingresses with their rules."""

from typing import Any

from django.utils.translation import gettext as _

from cluster.objects import Manifest, meta
from cluster.objects.services import SERVICE_NAME
from dashboard.webui.cells import Cell, Row, Section, fields, joined, mono, pairs
from dashboard.webui.client import Client


def service(server: Client, obj: Manifest) -> list[Section]:
    spec = obj["spec"]
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    ports = [
        f"{each['port']}{':' + str(each['nodePort']) if each.get('nodePort') else ''}/{each.get('protocol', 'TCP')}"
        f" → {each.get('targetPort', each['port'])}"
        for each in spec.get("ports") or ()
    ]
    about = Section(
        _("Service"),
        fields(
            (_("Type"), spec.get("type", "")),
            (_("Cluster IP"), mono(joined(spec.get("clusterIPs") or ()))),
            (_("External"), joined(each.get("ip") or each.get("hostname", "") for each in ingress)),
            (_("External name"), spec.get("externalName", "")),
            (_("Ports"), [mono(each) for each in ports]),
            (_("Selector"), pairs(spec.get("selector"))),
            (_("Session affinity"), spec.get("sessionAffinity", "")),
        ),
    )
    return [about, _endpoints(server, obj)]


def _endpoints(server: Client, obj: Manifest) -> Section:
    path = f"apis/discovery.k8s.io/v1/namespaces/{meta.namespace(obj)}/endpointslices"
    slices = server.items(path, {"labelSelector": f"{SERVICE_NAME}={meta.name(obj)}"})
    rows = [_endpoint(each, endpoint) for each in slices for endpoint in each.get("endpoints") or ()]
    columns = [_("Address"), _("Pod"), _("Node"), _("Ready"), _("Ports")]
    none = _("No endpoints: no pod that the selector means is there.")
    return Section(_("Endpoints"), columns=columns, rows=rows, note=none)


def _endpoint(endpoint_slice: Manifest, endpoint: dict[str, Any]) -> Row:
    reference, node = endpoint.get("targetRef") or {}, endpoint.get("nodeName", "")
    path = ""
    if reference.get("kind") == "Pod":
        path = f"api/v1/namespaces/{reference.get('namespace', '')}/pods/{reference['name']}"
    state = endpoint.get("conditions") or {}
    ready = state.get("ready") is not False
    text = _("Yes") if ready else (_("Terminating") if state.get("terminating") else _("No"))
    return [
        mono(joined(endpoint.get("addresses") or ())),
        Cell(reference.get("name", ""), path),
        Cell(node, f"api/v1/nodes/{node}" if node else ""),
        Cell(text, tone="run" if ready else "pend"),
        mono(joined(f"{each.get('port')}/{each.get('protocol', 'TCP')}" for each in endpoint_slice.get("ports") or ())),
    ]


def ingress(server: Client, obj: Manifest) -> list[Section]:
    spec = obj["spec"]
    rows = []
    for rule in spec.get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            to = (path.get("backend") or {}).get("service") or {}
            port = to.get("port") or {}
            name = to.get("name", "")
            rows.append(
                [
                    Cell(rule.get("host", "*")),
                    mono(path.get("path", "/")),
                    Cell(name, f"api/v1/namespaces/{meta.namespace(obj)}/services/{name}" if name else ""),
                    Cell(port.get("number") or port.get("name", "")),
                ]
            )
    about = fields((_("Class"), spec.get("ingressClassName", "")))
    return [Section(_("Rules"), about, [_("Host"), _("Path"), _("Service"), _("Port")], rows)]
