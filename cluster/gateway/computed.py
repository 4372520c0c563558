"""Programs in pods whose answers are computed here from committed rows, instead of being asked of the world.

    loki                 /loki/api/v1/…    lines that agents shipped
    prometheus           /api/v1/…         samples that were scraped
    kube-state-metrics   /metrics          what the API server holds, as text

A program answers as long as a container of it listens on the port that is asked, on a machine with power; which pod and
port that is, is the proxy's business. Another program is one function and one line in ANSWERS.

    /clusters/<name>/loki/…, /clusters/<name>/prometheus/…     short addresses of these add-ons' Services

Read next: streams/proxy.py, which asks.
"""

from collections.abc import Awaitable, Callable

from cluster.apiserver.reads import Reader
from cluster.apiserver.target import Target
from cluster.gateway import loki, pool, prometheus
from cluster.gateway.http import Reply, Request
from cluster.gateway.site import Site
from cluster.kubelet import committed
from cluster.objects import errors
from cluster.objects.pods import uid_at_node

Answer = Callable[[Request, str], Awaitable[Reply]]  # Of a request and its path, behind the prefix.
ANSWERS: dict[str, tuple[str, Answer]] = {  # Program -> the prefix of its paths, and who answers.
    "loki": ("loki/api/v1/", loki.answer),
    "prometheus": ("api/v1/", prometheus.answer),
    "kube-state-metrics": ("metrics", prometheus.state_metrics),
}
SERVICES = {  # Short address -> Service and port, and what all of its paths begin with.
    "/loki/": ("loki:3100", "loki/"),
    "/prometheus/": ("prometheus:9090", ""),
}


def target_of(path: str) -> Target | None:
    """What a short address stands for; None: it is none. Errors: PathNotFound."""
    for short, (service, root) in SERVICES.items():
        if path.startswith(short):
            rest = root + path.removeprefix(short)
            if not any(rest.startswith(prefix) for prefix, _ in ANSWERS.values()):
                raise errors.PathNotFound()
            return Target("", "v1", "services", "kube-system", service, "proxy", rest)
    return None


async def answer(request: Request, namespace: str, pod: str, port: int, path: str) -> Reply | None:
    """The answer of what listens there; None: that has to be asked of the world."""
    wanted = {program for program, (prefix, _) in ANSWERS.items() if path.startswith(prefix)}
    program = await pool.in_thread(_program_at, request.cluster, namespace, pod, port) if wanted else ""
    if program not in wanted:
        return None
    prefix, answered = ANSWERS[program]
    return await answered(request, path.removeprefix(prefix))


def _program_at(reader: Reader, cluster: str, namespace: str, pod: str, port: int) -> str:
    """Which program listens on a port of a pod, on a machine that runs; the empty string: none."""
    site = Site.of(reader, cluster)
    found = site.get("Pod", namespace, pod) if site is not None else None
    if site is None or found is None:
        return ""
    machine = site.machine(found["spec"].get("nodeName", ""))
    if machine is None or not machine["power"]:
        return ""
    records = site.records(uid_at_node(found))
    there = (each for each in records if committed.listens(each, (), port, site.now, site.epoch))
    return next((str(each["program"]) for each in there), "")
