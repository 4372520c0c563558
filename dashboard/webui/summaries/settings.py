"""ConfigMaps and Secrets (their values hidden until they are asked for), quotas, roles and who has them."""

import base64
import binascii

from django.utils.translation import gettext as _

from cluster.objects import Manifest, meta, quantity
from dashboard.webui.cells import Cell, Section, joined, mono
from dashboard.webui.client import Client


def config(server: Client, obj: Manifest) -> list[Section]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    rows = [[mono(key), mono(value)] for key, value in sorted(data.items())]
    rows += [[mono(key), Cell(_("%d bytes") % (len(value) * 3 // 4))] for key, value in sorted(binary.items())]
    return [Section(_("Data"), columns=[_("Key"), _("Value")], rows=rows, note=_("No data."))]


def secret(server: Client, obj: Manifest) -> list[Section]:
    rows = [
        [mono(key), Cell(_decoded(value), is_mono=True, is_hidden=True)]
        for key, value in sorted((obj.get("data") or {}).items())
    ]
    return [Section(_("Data"), columns=[_("Key"), _("Value")], rows=rows, note=_("No data."))]


def _decoded(value: str) -> str:
    """What a Secret's value says; base64 as it is if that is no text."""
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return value


def quota(server: Client, obj: Manifest) -> list[Section]:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or obj["spec"].get("hard") or {}, status.get("used") or {}
    rows = []
    for name, most in sorted(hard.items()):
        total = quantity.milli(most)
        share = quantity.milli(used.get(name, "0")) * 100 // total if total else None
        rows.append([Cell(name), Cell(used.get(name, "0"), share=share), Cell(most)])
    return [Section(_("Quota"), columns=[_("Resource"), _("Used"), _("Hard")], rows=rows)]


def role(server: Client, obj: Manifest) -> list[Section]:
    rows = []
    for rule in obj.get("rules") or ():
        what = rule.get("resources") or rule.get("nonResourceURLs") or ()
        groups = [each or "core" for each in rule.get("apiGroups") or ()]
        names = rule.get("resourceNames") or ()
        rows.append(
            [mono(joined(what)), mono(joined(groups)), mono(joined(names)), mono(joined(rule.get("verbs") or ()))]
        )
    columns = [_("Resources"), _("Groups"), _("Names"), _("Verbs")]
    return [Section(_("Rules"), columns=columns, rows=rows, note=_("No rules."))]


def binding(server: Client, obj: Manifest) -> list[Section]:
    reference = obj["roleRef"]
    scope = f"namespaces/{meta.namespace(obj)}/roles" if reference["kind"] == "Role" else "clusterroles"
    path = f"apis/rbac.authorization.k8s.io/v1/{scope}/{reference['name']}"
    rows = []
    for each in obj.get("subjects") or ():
        namespace, name = each.get("namespace", ""), each["name"]
        account = f"api/v1/namespaces/{namespace}/serviceaccounts/{name}" if each["kind"] == "ServiceAccount" else ""
        rows.append([Cell(each["kind"]), Cell(name, account), Cell(namespace)])
    about: list[tuple[str, list[Cell]]] = [(_("Role"), [Cell(f"{reference['kind']}/{reference['name']}", path)])]
    columns = [_("Kind"), _("Name"), _("Namespace")]
    return [Section(_("Subjects"), list(about), columns, rows, note=_("No subjects."))]
