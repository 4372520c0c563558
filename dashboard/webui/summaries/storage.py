"""Claims and volumes: who has which, and who uses it."""

from django.utils.translation import gettext as _

from cluster.objects import Manifest, meta
from dashboard.webui.cells import Cell, Section, fields, joined, tone
from dashboard.webui.client import Client


def claim(server: Client, obj: Manifest) -> list[Section]:
    spec, status = obj["spec"], obj.get("status") or {}
    volume, name = spec.get("volumeName", ""), spec.get("storageClassName", "")
    namespace = meta.namespace(obj)
    users = [each for each in server.items(f"api/v1/namespaces/{namespace}/pods") if meta.name(obj) in _claims(each)]
    used_by = [Cell(meta.name(each), f"api/v1/namespaces/{namespace}/pods/{meta.name(each)}") for each in users]
    about = fields(
        (_("Status"), Cell(status.get("phase", ""), tone=tone(status.get("phase", "")))),
        (_("Volume"), Cell(volume, f"api/v1/persistentvolumes/{volume}") if volume else _("none yet")),
        (_("Wanted"), ((spec.get("resources") or {}).get("requests") or {}).get("storage", "")),
        (_("Capacity"), (status.get("capacity") or {}).get("storage", "")),
        (_("Access modes"), joined(status.get("accessModes") or spec.get("accessModes") or ())),
        (_("Class"), Cell(name, f"apis/storage.k8s.io/v1/storageclasses/{name}") if name else ""),
        (_("Used by"), used_by),
    )
    return [Section(_("Claim"), about)]


def _claims(pod: Manifest) -> list[str]:
    volumes = pod["spec"].get("volumes") or ()
    return [(each.get("persistentVolumeClaim") or {}).get("claimName", "") for each in volumes]


def volume(server: Client, obj: Manifest) -> list[Section]:
    spec, phase = obj["spec"], (obj.get("status") or {}).get("phase", "")
    claimed, name = spec.get("claimRef") or {}, spec.get("storageClassName", "")
    path = f"api/v1/namespaces/{claimed.get('namespace', '')}/persistentvolumeclaims/{claimed.get('name', '')}"
    about = fields(
        (_("Status"), Cell(phase, tone=tone(phase))),
        (_("Claim"), Cell(f"{claimed['namespace']}/{claimed['name']}", path) if claimed else ""),
        (_("Capacity"), (spec.get("capacity") or {}).get("storage", "")),
        (_("Access modes"), joined(spec.get("accessModes") or ())),
        (_("Reclaim policy"), spec.get("persistentVolumeReclaimPolicy", "")),
        (_("Class"), Cell(name, f"apis/storage.k8s.io/v1/storageclasses/{name}") if name else ""),
        (_("Driver"), (spec.get("csi") or {}).get("driver", "")),
    )
    return [Section(_("Volume"), about)]
