"""CPU and memory of one pod or node over simulated time. The charts fetch their numbers themselves: see
charts.py.
"""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from cluster.objects import Manifest
from dashboard.panels.panel import View


def context(view: View, kind: str, key: str, obj: Manifest | None) -> dict[str, Any]:
    query = urlencode({"kind": kind, "key": key})
    names = (("cpu", _("CPU"), _("millicores")), ("memory", _("Memory"), "MiB"))
    charts = [
        {"title": title, "unit": unit, "src": f"{reverse('chart', args=[view.cluster.name, name])}?{query}"}
        for name, title, unit in names
    ]
    if kind == "Pod":
        src = f"{reverse('chart', args=[view.cluster.name, 'requests'])}?{urlencode({'pod': key})}"
        charts.append({"title": _("Requests"), "unit": _("a second"), "src": src})
    return {"charts": charts}
