"""CoreDNS, kube-proxy, flannel and the dashboard: what they print and how they say that they are well.

What they do is addons/dns's, kubeproxy's and dashboard/webui's business.

Mirrors:  coredns 1.12, kube-proxy 1.37 (their lines at the start and at SIGTERM, their health pages)
Left out: which port has which page (each port of a program has all of them); metrics other than build information;
          nodes that kube-proxy's /healthz reports as being deleted.
"""

from cluster.runtime.programs.program import MIB, MILLISECOND, Line, Program, Response

COREDNS = (
    ".:53",
    "[INFO] plugin/kubernetes: waiting for Kubernetes API before starting server",
    "CoreDNS-1.12.3",
    "linux/amd64, go1.24.5",
)
PROXY = (
    ("server_linux.go:63", '"Using iptables proxy"'),
    ("server.go:715", '"Successfully retrieved node IP(s)"'),
    ("conntrack.go:60", '"Setting nf_conntrack_max" nfConntrackMax=131072'),
    ("shared_informer.go:350", '"Waiting for caches to sync" controller="service config"'),
    ("shared_informer.go:350", '"Waiting for caches to sync" controller="endpoint slice config"'),
    ("shared_informer.go:357", '"Caches are synced" controller="service config"'),
    ("shared_informer.go:357", '"Caches are synced" controller="endpoint slice config"'),
)
DASHBOARD = (
    "Starting overwatch",
    "Using in-cluster config to connect to apiserver",
    "Using secret token for csrf signing",
)
SECURELY = (
    "Auto-generating certificates",
    "Successfully created certificates",
    "Serving securely on HTTPS port: 8443",
)
INSECURELY = ("Serving insecurely on HTTP port: 9090",)
PLAIN_HTTP = "--enable-insecure-login"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
COREDNS_METRICS = (
    "# HELP coredns_build_info A metric with a constant '1' value labeled by version, revision, and goversion from"
    " which CoreDNS was built.\n# TYPE coredns_build_info gauge\n"
    'coredns_build_info{goversion="go1.24.5",revision="",version="1.12.3"} 1\n'
)
PROXY_METRICS = (
    "# HELP kubernetes_build_info [BETA] A metric with a constant '1' value labeled by major, minor, git version, git"
    " commit, git tree state, build date, Go version, and compiler from which Kubernetes was built, and platform on"
    " which it is running.\n# TYPE kubernetes_build_info gauge\n"
    'kubernetes_build_info{compiler="gc",git_tree_state="clean",major="1",minor="37",platform="linux/amd64"} 1\n'
)
NOT_FOUND = Response(404, "404 page not found\n", "text/plain; charset=utf-8")  # As Go's net/http says it.


class CoreDNS(Program):
    cpu, cpu_per_request, memory, stop_time = 3, 0.02, 14 * MIB, 5000 * MILLISECOND  # It answers on for five seconds.

    def ports(self) -> tuple[int, ...]:
        return (53, 8080, 8181, 9153)

    def respond(self, at: int, method: str, target: str) -> Response:
        """The pages of the plugins health, ready and prometheus."""
        path = target.partition("?")[0]
        if path in ("/health", "/ready"):
            return Response(200, "OK", "text/plain; charset=utf-8")
        return Response(200, COREDNS_METRICS, METRICS) if path == "/metrics" else NOT_FOUND

    def at_start(self) -> list[Line]:
        return [self.printed((40 + n) * MILLISECOND, text) for n, text in enumerate(COREDNS)]

    def at_stop(self) -> list[Line]:
        at = self.process.stopped or 0
        said = ("SIGTERM: Shutting down servers then terminating", "plugin/health: Going into lameduck mode for 5s")
        return [Line(at + n * MILLISECOND, "stdout", f"[INFO] {text}") for n, text in enumerate(said)]


class KubeProxy(Program):
    cpu, memory, stop_time = 1, 18 * MIB, 20 * MILLISECOND

    def ports(self) -> tuple[int, ...]:
        return (10249, 10256)

    def respond(self, at: int, method: str, target: str) -> Response:
        """/healthz and /livez with the moment of the last sync that counts, and /metrics."""
        path = target.partition("?")[0]
        if path in ("/healthz", "/livez"):
            now = f"{self.process.date(at):%Y-%m-%d %H:%M:%S.%f} +0000 UTC"
            body = f'{{"lastUpdated": "{now}","currentTime": "{now}", "nodeEligible": true}}'
            return Response(200, body, "application/json")
        return Response(200, PROXY_METRICS, METRICS) if path == "/metrics" else NOT_FOUND

    def at_start(self) -> list[Line]:
        first = self.process.started + 60 * MILLISECOND
        return [self.klog(first + 7 * MILLISECOND * n, where, said) for n, (where, said) in enumerate(PROXY)]


class Flannel(Program):
    """What it does: a network plugin's configuration appears on its machine's disk, and stays there."""

    cpu, memory, stop_time = 2, 16 * MIB, 20 * MILLISECOND

    def at_start(self) -> list[Line]:
        said = ("Using interface with name eth0", "Wrote subnet file to /run/flannel/subnet.env", "Running backend.")
        at = self.process.started + 80 * MILLISECOND
        return [self.klog(at + n, f"main.go:{220 + 80 * n}", text) for n, text in enumerate(said)]


class Dashboard(Program):
    """kubernetes/dashboard, a page of the cluster's own. What it shows is dashboard/webui's business."""

    cpu, memory, stop_time = 2, 24 * MIB, 20 * MILLISECOND

    @property
    def is_plain(self) -> bool:
        return PLAIN_HTTP in self.process.argv

    def speaks(self, port: int) -> str:
        return "http" if self.is_plain else "https"

    def ports(self) -> tuple[int, ...]:
        return (9090,) if self.is_plain else (8443,)

    def respond(self, at: int, method: str, target: str) -> Response:
        """An empty shell, for who asks from inside the cluster; whoever comes through the API server gets the pages."""
        page = "<!doctype html><title>Kubernetes Dashboard</title>\n"
        return Response(200, page, "text/html; charset=utf-8") if target.partition("?")[0] == "/" else NOT_FOUND

    def at_start(self) -> list[Line]:
        first = self.process.started + 30 * MILLISECOND
        said = DASHBOARD + (INSECURELY if self.is_plain else SECURELY)
        stamps = [(first + 9 * MILLISECOND * n, text) for n, text in enumerate(said)]
        return [Line(at, "stdout", f"{self.process.date(at):%Y/%m/%d %H:%M:%S} {text}") for at, text in stamps]
