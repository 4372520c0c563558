"""metrics-server: what it prints. What it answers is addons/monitoring/metrics_server.py's business.

Mirrors:  metrics-server 0.8 (klog lines at its start and at SIGTERM)
Left out: the errors that it logs when a kubelet does not answer: a program does not know of other machines.
"""

from cluster.runtime.programs.program import MIB, MILLISECOND, Line, Program

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


class MetricsServer(Program):
    cpu, cpu_per_request, memory, stop_time = 4, 0.4, 22 * MIB, 60 * MILLISECOND

    def speaks(self, port: int) -> str:
        return "https"

    def at_start(self) -> list[Line]:
        port = next((w.partition("=")[2] for w in self.process.argv if w.startswith("--secure-port=")), PORT)
        first = self.process.started + 300 * MILLISECOND
        return [self._line(first + after * MILLISECOND, at, said.format(port=port)) for after, at, said in STARTING]

    def at_stop(self) -> list[Line]:
        at = (self.process.stopped or 0) + MILLISECOND
        return [
            self._line(at, "requestheader_controller.go:194", "Shutting down RequestHeaderAuthRequestController"),
            self._line(at + MILLISECOND, "secure_serving.go:256", "Stopped listening on [::]:10250"),
        ]

    def _line(self, at: int, where: str, said: str) -> Line:
        moment = self.process.date(at)
        return Line(at, "stderr", f"I{moment:%m%d %H:%M:%S.%f}       1 {where}] {said}")
