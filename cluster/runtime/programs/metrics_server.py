"""metrics-server: what it prints, and what its port says of its health.

What it answers as metrics.k8s.io is addons/monitoring/metrics_server.py's business.

Mirrors:  metrics-server 0.8 (klog lines at its start and at SIGTERM; health endpoints of its generic API server)
Left out: the errors that it logs when a kubelet does not answer: a program does not know of other machines.
"""

from cluster.runtime.programs.program import MIB, MILLISECOND, Line, Program, Response

STARTING = (
    (0, "serving.go:380", "Generated self-signed cert (/tmp/apiserver.crt, /tmp/apiserver.key)"),
    (420, "handler.go:288", "Adding GroupVersion metrics.k8s.io v1beta1 to ResourceManager"),
    (530, "requestheader_controller.go:180", "Starting RequestHeaderAuthRequestController"),
    (531, "shared_informer.go:350", '"Waiting for caches to sync" controller="RequestHeaderAuthRequestController"'),
    (532, "secure_serving.go:211", "Serving securely on [::]:{port}"),
    (533, "tlsconfig.go:243", '"Starting DynamicServingCertificateController"'),
    (640, "shared_informer.go:357", '"Caches are synced" controller="RequestHeaderAuthRequestController"'),
)
PORT = "10250"
HEALTH = ("/livez", "/readyz", "/healthz")
UNAUTHORIZED = (
    '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized",'
    '"reason":"Unauthorized","code":401}\n'
)


class MetricsServer(Program):
    cpu, cpu_per_request, memory, stop_time = 4, 0.4, 22 * MIB, 60 * MILLISECOND

    def speaks(self, port: int) -> str:
        return "https"

    def ports(self) -> tuple[int, ...]:
        port = self._port()
        return (int(port),) if port.isdecimal() and len(port) <= 5 else ()

    def respond(self, at: int, method: str, target: str) -> Response:
        """`ok` to who asks how it is; everything else wants a certificate or a token."""
        if target.partition("?")[0] in HEALTH:
            return Response(200, "ok")
        return Response(401, UNAUTHORIZED, "application/json")

    def at_start(self) -> list[Line]:
        port = self._port()
        first = self.process.started + 300 * MILLISECOND
        return [self.klog(first + after * MILLISECOND, at, said.format(port=port)) for after, at, said in STARTING]

    def at_stop(self) -> list[Line]:
        at = (self.process.stopped or 0) + MILLISECOND
        return [
            self.klog(at, "requestheader_controller.go:194", "Shutting down RequestHeaderAuthRequestController"),
            self.klog(at + MILLISECOND, "secure_serving.go:256", f"Stopped listening on [::]:{self._port()}"),
        ]

    def _port(self) -> str:
        return next((w.partition("=")[2] for w in self.process.argv if w.startswith("--secure-port=")), PORT)
