"""The panels. One file and one partial each, and one line here."""

from django.template.loader import render_to_string

from dashboard.panels import (
    actions,
    add_node,
    apply,
    cloud,
    clusters,
    control_plane,
    etcd,
    inspector,
    logs,
    machine_room,
    metrics,
    monitoring,
    requests,
    scheduler_configuration,
    static_pod,
    traffic,
)
from dashboard.panels.panel import Panel, View

PANELS = (
    actions.PANEL,
    add_node.PANEL,
    apply.PANEL,
    clusters.PANEL,
    clusters.CREATE,
    clusters.RESET,
    clusters.DELETE,
    inspector.PANEL,
    inspector.SCALE,
    logs.PANEL,
    metrics.PANEL,
    traffic.PANEL,
    monitoring.PANEL,
    requests.PANEL,
    cloud.PANEL,
    etcd.PANEL,
    control_plane.PANEL,
    scheduler_configuration.PANEL,
    machine_room.PANEL,
    static_pod.PANEL,
    monitoring.BADGE,
)
REGISTRY = {panel.name: panel for panel in PANELS}


def wide() -> list[Panel]:
    """Those that can fill the centre of the page, in the order of their tabs."""
    return [panel for panel in PANELS if panel.icon]


def render(name: str, view: View) -> str:
    """A panel as HTML. Errors: KeyError if there is none of that name."""
    panel = REGISTRY[name]
    context = {"cluster": view.cluster.name, "panel": panel, **panel.context(view)}
    return render_to_string(panel.template, context, request=view.request)
