"""Programs in pods whose answers are computed here from committed rows, instead of being asked of the world.

    loki          /loki/api/v1/…    lines that agents shipped
    prometheus    /api/v1/…         samples that were scraped
    all of monitoring/programs.py   /metrics, as Prometheus reads it; metrics-server tells nobody without a token

A program that is a whole site (web-ui's) is answered by an application that who knows it hands in: see `serves`.

A program answers as long as a container of it listens on the port that is asked, on a machine with power; which pod and
port that is, is the proxy's business. Another program is one function and one line in ANSWERS.

    /clusters/<name>/loki/…, /clusters/<name>/prometheus/…     short addresses of these add-ons' Services

Read next: streams/proxy.py, which asks.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from cluster.apiserver.reads import Reader
from cluster.apiserver.target import Target
from cluster.gateway import loki, metrics, pool, prometheus
from cluster.gateway.http import NO_CACHE, Receive, Reply, Request, Scope, Send
from cluster.gateway.site import Site
from cluster.kubelet import committed
from cluster.monitoring import families, programs
from cluster.monitoring.store import Store
from cluster.objects import errors
from cluster.objects.pods import uid_at_node

Answer = Callable[[Request, str], Awaitable[Reply]]  # Of a request and its path, behind the prefix.
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
ANSWERS: dict[str, tuple[str, Answer]] = {  # Program -> the prefix of its paths, and who answers.
    "loki": ("loki/api/v1/", loki.answer),
    "prometheus": ("api/v1/", prometheus.answer),
}
NOT_PASSED_ON = (b"origin", b"authorization")
SERVICES = {  # Short address -> Service and port, and what all of its paths begin with.
    "/loki/": ("loki:3100", "loki/"),
    "/prometheus/": ("prometheus:9090", ""),
}


POD = "orrery.pod"  # In an application's scope: (namespace, name) of the pod that is asked.
_SITES: dict[str, tuple[str, Application]] = {}


def serves(program: str, root: str, application: Application) -> None:
    """Let `application` answer for all of a program's paths: it sees them under /clusters/<name>/`root`/."""
    _SITES[program] = (root, application)


async def site_of(cluster: str, namespace: str, pod: str, port: int) -> Application | None:
    """The site that listens there, for requests with their path at its own root; None: no site does."""
    program = await pool.in_thread(_program_at, cluster, namespace, pod, port) if _SITES else ""
    if program not in _SITES:
        return None
    root, application = _SITES[program]

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        path = f"/clusters/{cluster}/{root}{scope['path']}"
        headers = [(name, value) for name, value in scope["headers"] if name not in NOT_PASSED_ON]
        about = {"path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http", POD: (namespace, pod)}
        await application({**scope, **about, "headers": headers}, receive, send)

    return answered


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
    if path == "metrics":
        return await pool.in_thread(_metrics, request.cluster, namespace, pod, port)
    wanted = {program for program, (prefix, _) in ANSWERS.items() if path.startswith(prefix)}
    program = await pool.in_thread(_program_at, request.cluster, namespace, pod, port) if wanted else ""
    if program not in wanted:
        return None
    prefix, answered = ANSWERS[program]
    return await answered(request, path.removeprefix(prefix))


def _program_at(reader: Reader, cluster: str, namespace: str, pod: str, port: int) -> str:
    """Which program listens on a port of a pod, on a machine that runs; the empty string: none."""
    site = Site.of(reader, cluster)
    found = _listening(site, namespace, pod, port) if site is not None else None
    return str(found["program"]) if found is not None else ""


def _listening(site: Site, namespace: str, pod: str, port: int) -> dict[str, Any] | None:
    found = site.get("Pod", namespace, pod)
    machine = site.machine(found["spec"].get("nodeName", "")) if found is not None else None
    if found is None or machine is None or not machine["power"]:
        return None
    records = site.records(uid_at_node(found))
    return next((each for each in records if committed.listens(each, (), port, site.now, site.epoch)), None)


def _metrics(reader: Reader, cluster: str, namespace: str, pod: str, port: int) -> Reply | None:
    """/metrics of a program that has it on that port; None: it has none there, or wants a token."""
    snapshot = reader.cluster(cluster)
    site = Site(reader, cluster, snapshot) if snapshot is not None else None
    record = _listening(site, namespace, pod, port) if site is not None else None
    teller = programs.TELL.get(record["program"]) if record is not None else None
    if site is None or snapshot is None or record is None or teller is None:
        return None
    if teller.port != port or not teller.is_open:
        return None
    told = programs.Look(site, Store.series(snapshot.id)).tell(record)
    return Reply(200, metrics.MEDIA, families.text(told).encode(), (NO_CACHE,))
