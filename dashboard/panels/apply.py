"""The sheet for applying YAML, empty or with a sample in it."""

from typing import Any

from dashboard import samples
from dashboard.panels.panel import Panel, View


def context(view: View) -> dict[str, Any]:
    sample = samples.BY_NAME.get(view.wish("sample"))
    return {"samples": samples.SAMPLES, "sample": sample, "text": sample.text if sample else ""}


PANEL = Panel("apply", context)
