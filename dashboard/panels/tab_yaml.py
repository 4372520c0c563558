"""YAML: the object as `kubectl get -o yaml` prints it, coloured on the server."""

from typing import Any

import yaml
from django.utils.safestring import SafeString, mark_safe
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import YamlLexer

from cluster.objects import Manifest
from dashboard.panels.panel import View

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def context(view: View, kind: str, key: str, obj: Manifest | None) -> dict[str, Any]:
    return {"yaml": coloured(obj) if obj else ""}


def coloured(obj: Manifest) -> SafeString:
    """HTML with Pygments' classes; its text is escaped by Pygments."""
    text = yaml.dump(
        ordered(obj),
        Dumper=DUMPER,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=10**6,
    )
    return mark_safe(highlight(text, YamlLexer(), HtmlFormatter(nowrap=False, cssclass="source")))


def ordered(obj: Manifest) -> Manifest:
    """apiVersion, kind, metadata, spec … status: the order that people read in."""
    first = ("apiVersion", "kind", "metadata", "spec", "data")
    return {key: obj[key] for key in first if key in obj} | {key: obj[key] for key in obj if key not in first}
