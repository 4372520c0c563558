"""Add-ons: what every cluster has beside its control plane, as ordinary pods of kube-system that live and die like any.

    monitoring/   metrics-server: what pods and nodes use, for `kubectl top` and for autoscalers

An add-on is a file of manifests and a line in `ADDONS`. What it *does* is tied to its pods: the program in their image
does it, for as long as one of them runs and can be reached. A cluster can be made without any (`--addons none`), and
`manage.py addon NAME` prints the manifests for `kubectl apply -f -`.

Read next: installer.py.
"""

from pathlib import Path

ADDONS: dict[str, Path] = {
    "metrics-server": Path(__file__).parent / "monitoring" / "metrics-server.yaml",
}
