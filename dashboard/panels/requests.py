"""The request's way: what outsiders asked last, and what each stage of the API server said and did.

Only requests that want to change something enter the world and are recorded; reads are answered from what is stored.

Read next: cluster/apiserver/stages.py, which writes the rows down.
"""

import re
from typing import Any

import orjson
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cluster.models import Input
from dashboard.panels.panel import Panel, View

NEWEST = 40  # Requests shown.
LOOKED_AT = 120  # Inputs looked through for them: clicks and time controls are among them.
STAGES: dict[str, str | Promise] = {
    "authentication": _("Authentication"),
    "authorization": _("Authorization"),
    "decoding": _("Decoding"),
    "mutating": _("Mutating admission"),
    "validation": _("Validation"),
    "validating": _("Validating admission"),
    "storage": _("Storage"),
}
WHAT: dict[str, str | Promise] = {
    "authentication": _("Who are you?"),
    "authorization": _("May you do this?"),
    "decoding": _("What does the body say?"),
    "mutating": _("What is missing is filled in."),
    "validation": _("Does it follow the rules of its kind?"),
    "validating": _("Does anybody object?"),
    "storage": _("Written to etcd; watchers are told."),
}


_SHORT = re.compile(r"^/(api/v1|apis/[^/]+/[^/]+)/")  # Group and version: the plural says enough in a list.


def context(view: View) -> dict[str, Any]:
    """`open`: the number of the request whose stages are shown; the newest one's if there is none of that number."""
    rows = recorded(view)
    chosen = next((row for row in rows if str(row["number"]) == view.wish("open")), rows[0] if rows else None)
    return {"rows": rows, "chosen": chosen, "stages": stages(chosen) if chosen else []}


def recorded(view: View) -> list[dict[str, Any]]:
    """The newest API requests of outsiders, newest first."""
    found = Input.objects.filter(cluster_id=view.cluster.pk).order_by("-ordinal")[:LOOKED_AT]
    rows: list[dict[str, Any]] = []
    for row in found:
        request = orjson.loads(bytes(row.request))
        if request.get("type") == "api" and len(rows) < NEWEST:
            rows.append(_row(row, request))
    return rows


def _row(row: Input, request: dict[str, Any]) -> dict[str, Any]:
    headers, user = request.get("headers") or {}, request.get("user") or {}
    response = orjson.loads(bytes(row.response))
    return {
        "number": row.ordinal,
        "at": row.sim_time,
        "user": user if isinstance(user, str) else user.get("name", ""),
        "command": _command(headers),
        "method": request["method"],
        "path": request["path"] + (f"?{request['query']}" if request.get("query") else ""),
        "short": _SHORT.sub("", request["path"]),
        "status": row.status,
        "refused": row.status >= 400,
        "revision": row.revision,
        "warnings": response["headers"].get("Warning", ""),
        "stages": response.get("stages") or [],
    }


def _command(headers: dict[str, str]) -> str:
    """`kubectl create`, as kubectl says itself; else the client's name."""
    said = headers.get("kubectl-command", "")
    if said:
        return said if said.startswith("kubectl") else f"kubectl {said}"
    return headers.get("user-agent", "").split(" ")[0]


def stages(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The stages in their order, each with what its parts said. A request that was refused stops at the last."""
    found: list[dict[str, Any]] = []
    for part in row["stages"]:
        if not found or found[-1]["name"] != part["stage"]:
            name = part["stage"]
            found.append({"name": name, "title": STAGES.get(name, name), "what": WHAT.get(name, ""), "parts": []})
        found[-1]["parts"].append(part)
        found[-1]["refused"] = bool(part.get("refused"))
    for stage in found:
        stage["said"] = [part for part in stage["parts"] if part.keys() - {"stage", "by"}]
        stage["silent"] = [part["by"] for part in stage["parts"] if part.get("by") and part.keys() <= {"stage", "by"}]
    return found


PANEL = Panel("requests", context, _("Requests"), "log-out")
