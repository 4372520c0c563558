"""Add-ons: what every cluster has beside its control plane, as ordinary pods of kube-system that live and die like any.

    network/      kube-proxy: Services' addresses on every node; flannel, a network plugin; NetworkPolicies
    dns/          CoreDNS: names of Services and pods
    webui/        web-ui: a page of the cluster's own, served while one of its pods is ready
    logging/      fluent-bit, which ships what containers print; loki, where one searches it
    monitoring/   metrics-server: what pods and nodes use, for `kubectl top` and for autoscalers; Prometheus
    traffic/      the kind LoadGenerator and its operator: pods that send requests, so many a second

An add-on is a file of manifests and a line in `ADDONS`. What it *does* is tied to its pods: the program in their image
does it, for as long as one of them runs and can be reached. A cluster can be made without any (`--addons none`), and
`manage.py addon NAME` prints the manifests for `kubectl apply -f -`.

Read next: installer.py.
"""

from pathlib import Path

_HERE = Path(__file__).parent
ADDONS: dict[str, Path] = {
    "kube-proxy": _HERE / "network" / "kube-proxy.yaml",
    "coredns": _HERE / "dns" / "coredns.yaml",
    "metrics-server": _HERE / "monitoring" / "metrics-server.yaml",
    "web-ui": _HERE / "webui" / "web-ui.yaml",
    "fluent-bit": _HERE / "logging" / "fluent-bit.yaml",
    "loki": _HERE / "logging" / "loki.yaml",
    "prometheus": _HERE / "monitoring" / "prometheus.yaml",
    "flannel": _HERE / "network" / "flannel.yaml",
    "load-generators": _HERE / "traffic" / "load-generators.yaml",
}
USUAL = ("kube-proxy", "coredns", "metrics-server")  # What a new cluster has: its machines come with a network plugin.
