"""Prometheus and kube-state-metrics: what they print and use. What they know is monitoring's business.

Mirrors:  prometheus 3.7, kube-state-metrics 2.17 (their lines at the start and at SIGTERM)
"""

from cluster.runtime.programs.program import MIB, MILLISECOND, Line, Program, Response

STARTED = (
    (0, "main.go:1517", "updated GOGC", ""),
    (12, "main.go:786", "Starting Prometheus Server", ' mode=server version="(version=3.7.3, branch=HEAD)"'),
    (15, "web.go:660", "Start listening for connections", " component=web address=0.0.0.0:9090"),
    (80, "main.go:1304", "Starting TSDB ...", ""),
    (190, "main.go:1325", "TSDB started", ""),
    (230, "main.go:1273", "Server is ready to receive web requests.", ""),
)
ENDED = (
    (1, "main.go:1049", "Received an OS signal, exiting gracefully...", " signal=terminated"),
    (9, "main.go:1350", "See you next time!", ""),
)
READY = 230 * MILLISECOND


class Prometheus(Program):
    cpu, cpu_per_request, memory, stop_time = 12, 0.5, 96 * MIB, 60 * MILLISECOND

    def ports(self) -> tuple[int, ...]:
        return (9090,)

    def respond(self, at: int, method: str, target: str) -> Response:
        path = target.partition("?")[0]
        if path == "/-/healthy":
            return Response(200, "Prometheus Server is Healthy.\n")
        if path == "/-/ready":
            if at < self.process.started + READY:
                return Response(503, "Service Unavailable")
            return Response(200, "Prometheus Server is Ready.\n")
        return Response(404, "404 page not found\n")

    def at_start(self) -> list[Line]:
        return [self._line(self.process.started, *each) for each in STARTED]

    def at_stop(self) -> list[Line]:
        return [self._line(self.process.stopped or 0, *each) for each in ENDED]

    def _line(self, begun: int, after: int, where: str, said: str, more: str) -> Line:
        at = begun + after * MILLISECOND
        moment = f"{self.process.date(at):%Y-%m-%dT%H:%M:%S.%f}"[:-3]
        words = f'"{said}"' if " " in said else said
        return Line(at, "stderr", f"time={moment}Z level=INFO source={where} msg={words}{more}")


class KubeStateMetrics(Program):
    cpu, cpu_per_request, memory, stop_time = 2, 1, 22 * MIB, 30 * MILLISECOND

    def ports(self) -> tuple[int, ...]:
        return (8080, 8081)

    def at_start(self) -> list[Line]:
        return [self.klog(self.process.started, "wrapper.go:120", '"Starting kube-state-metrics"')]
