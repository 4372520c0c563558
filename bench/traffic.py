"""What traffic costs: 100 servers that are sent 10 or 10,000 requests a second, and 1,000 servers by ten generators.

a look          following every flow's way and every server's queue anew, after something on the way changed
an hour         simulated, with all that the cluster does anyway; at a constant rate nothing comes on top
"""

import os
import time

from bench.rig import report

HOUR = 3_600_000_000
EPOCH = 1_795_484_400_000_000
GROUP = "traffic.orrery.dev"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    import django

    django.setup()
    report("traffic: an hour without any, CPU", Bench(nodes=10, servers=100, generators=0).hour(), "ms", "")
    for rate in (10, 10_000):
        bench = Bench(nodes=10, servers=100, generators=1)
        bench.rate(rate)
        report(f"traffic: a look, {rate:,} req/s to 100 pods", bench.look(), "ms", "<= 50 ms")
        steps = bench.steps
        report(f"traffic: a steady hour of {rate:,} req/s, CPU", bench.hour(), "ms", "as without any")
        report("traffic: looks in that hour", bench.steps - steps, "", "0")
    large = Bench(nodes=50, servers=1_000, generators=10)
    large.rate(100_000)
    report("traffic: a look, 10 generators to 1,000 pods", large.look(), "ms", "<= 1,500 ms")


class Bench:
    """A world in memory, with a Deployment `web` behind a Service, and LoadGenerators that ask it."""

    def __init__(self, nodes: int, servers: int, generators: int) -> None:
        from cluster.world import World

        addons = ["kube-proxy", "coredns", "load-generators"]
        self.world = World.create(7, EPOCH, {"nodes": nodes, "addons": addons})
        self.run(20)
        container = {"name": "web", "image": "nginx:1.29", "resources": {"limits": {"cpu": "500m"}}}
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
        chosen = {"matchLabels": {"app": "web"}}
        spec: dict[str, object] = {"replicas": servers, "selector": chosen, "template": template}
        self.post("/apis/apps/v1/namespaces/default/deployments", "apps/v1", "Deployment", "web", spec)
        ports: dict[str, object] = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
        self.post("/api/v1/namespaces/default/services", "v1", "Service", "web", ports)
        self.names = [f"load-{number}" for number in range(generators)]
        for name in self.names:
            wish: dict[str, object] = {"target": "http://web", "requestsPerSecond": 10, "connections": 200}
            path = f"/apis/{GROUP}/v1/namespaces/default/loadgenerators"
            self.post(path, f"{GROUP}/v1", "LoadGenerator", name, wish)
        self.run(120)

    @property
    def steps(self) -> int:
        return self.world.steps_by_component.get("traffic", 0)

    def run(self, seconds: float) -> None:
        until = self.world.now + int(seconds * 1_000_000)
        while not self.world.run(until):
            self.world.commit()
        self.world.commit()

    def post(self, path: str, version: str, kind: str, name: str, spec: dict[str, object]) -> None:
        self.ask("POST", path, {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})

    def ask(self, method: str, path: str, body: dict[str, object]) -> None:
        import orjson

        media = "application/json" if method == "POST" else "application/merge-patch+json"
        request = {"type": "api", "method": method, "path": path, "query": "", "body": orjson.dumps(body).decode()}
        answer = self.world.execute(f"{method} {path}", {**request, "headers": {"content-type": media}})
        assert answer.status < 300, answer.body

    def rate(self, requests: int) -> None:
        for name in self.names:
            path = f"/apis/{GROUP}/v1/namespaces/default/loadgenerators/{name}"
            self.ask("PATCH", path, {"spec": {"requestsPerSecond": requests // len(self.names)}})
        self.run(10)

    def look(self, times: int = 5) -> float:
        """Milliseconds of CPU, the best of some."""
        return min(self._look() for _ in range(times))

    def _look(self) -> float:
        begun = time.process_time()
        self.world.traffic.process("ways")
        return (time.process_time() - begun) * 1000

    def hour(self) -> float:
        """Milliseconds of CPU of a simulated hour."""
        begun = time.process_time()
        self.run(HOUR / 1_000_000)
        return (time.process_time() - begun) * 1000


if __name__ == "__main__":
    main()
