"""An edit is looked at before it is made: the API server tries it (dryRun=All), and what would change is shown.

The text's resourceVersion is what tells the API of a conflict, now and when it is made in earnest.
"""

import difflib
from typing import Any

from dashboard.webui import objects, writes
from dashboard.webui.client import Client

AROUND = 3  # Lines around a change.
MOST = 400  # Lines of a difference.


def reviewed(server: Client, api: str, text: str) -> dict[str, Any]:
    """{"status", "yaml", "diff": [(sort, line)]}, or {"status", "yaml", "problem"} if the API refuses it."""
    text = text.replace("\r\n", "\n")
    answer = writes.edit({"yaml": text, "dry": "1"}).send(server, api)
    if answer.status >= 400:
        return {"status": answer.status, "yaml": text, "problem": answer.message}
    before = server.get(api)
    if before.status >= 400:
        return {"status": before.status, "yaml": text, "problem": before.message}
    old, new = (objects.as_yaml(each.body, in_order=True).splitlines() for each in (before, answer))
    lines = list(difflib.unified_diff(old, new, lineterm="", n=AROUND))[2 : MOST + 2]
    sorts = {"+": "more", "-": "less", "@": "where"}
    return {"status": 200, "yaml": text, "diff": [(sorts.get(line[:1], "same"), line) for line in lines]}
