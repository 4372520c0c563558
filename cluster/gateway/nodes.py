"""nodes/proxy: what a kubelet answers on its port, through the API server.

    …/nodes/worker-1/proxy/metrics            …/metrics/cadvisor    …/metrics/resource
    …/nodes/worker-1:10250/proxy/stats/summary                      usage of the node and its pods
    …/pods   …/runningpods                    as the kubelet knows them
    …/healthz   …/healthz/ping                ok
    …/configz                                 its KubeletConfiguration
    …/containerLogs/<namespace>/<pod>/<container>    as pods/log
    …/logs/                                   the directories of /var/log

Everything is computed from committed rows, as long as the machine runs: nobody enters the world.

Mirrors:  kubernetes/pkg/kubelet/server/server.go, kubernetes/pkg/registry/core/node/strategy.go (ResourceLocation)
Left out: exec, attach and port-forward by this way, /run, /checkpoint, /debug, /flagz, /statusz, /metrics/slis and
          /metrics/probes; files of /logs themselves; settings in configz that nothing here obeys.
"""

from collections import OrderedDict
from typing import Any

from cluster.apiserver import registry
from cluster.apiserver.reads import Reader
from cluster.apiserver.target import Target
from cluster.gateway import lists, metrics, podlogs, pool
from cluster.gateway.http import NO_CACHE, Reply, Request, json_reply, plain
from cluster.gateway.site import Site
from cluster.kubelet import committed, configuration, kubelet, node_status, restarts
from cluster.monitoring import families, kubelets
from cluster.objects import Manifest, errors, resolvconf

PORT = "10250"
KEPT = 16  # Clusters whose counters of CPU time are carried on from look to look.
_cpu: OrderedDict[int, kubelets.CpuTime] = OrderedDict()


class Unreachable(errors.ApiError):
    status, reason = 503, "ServiceUnavailable"


async def serve(request: Request, target: Target) -> None:
    """Errors: NotFound, BadRequest, Unreachable, MethodNotAllowed."""
    if request.method not in ("GET", "HEAD"):
        raise errors.MethodNotAllowed()
    parts = target.rest.strip("/").split("/")
    if len(parts) == 4 and parts[0] == "containerLogs":
        await pool.in_thread(_check_pod, request, target, parts[1], parts[2])
        log = Target("", "v1", "pods", parts[1], parts[2], "log", "")
        await podlogs.serve(request, registry.by_kind("Pod"), log, parts[3])
        return
    await request.reply(await pool.in_thread(_answer, request, target))


def _check_pod(reader: Reader, request: Request, target: Target, namespace: str, name: str) -> None:
    """Errors: NotFound if the node has no such pod."""
    site = Site.of(reader, request.cluster)
    pod = site.get("Pod", namespace, name) if site is not None else None
    if pod is None or pod["spec"].get("nodeName") != _split(target.name)[0]:
        raise errors.NotFound("", "pods", name, f'pod "{name}" does not exist')


def _answer(reader: Reader, request: Request, target: Target) -> Reply:
    snapshot = reader.cluster(request.cluster)
    if snapshot is None:
        raise lists.NoSuchCluster(request.cluster)
    site = Site(reader, request.cluster, snapshot)
    name, port = _split(target.name)
    node = site.get("Node", "", name)
    if node is None:
        raise errors.NotFound("", "nodes", name)
    machine, where = site.machine(name), f"{kubelets.address(node)}:{port}"
    if machine is None or not machine["power"]:
        raise Unreachable(f"error trying to reach service: dial tcp {where}: connect: no route to host")
    if port != PORT:
        raise Unreachable(f"error trying to reach service: dial tcp {where}: connect: connection refused")
    return Kubelet(site, snapshot.id, name, node, machine).answer(target.rest)


def _split(name: str) -> tuple[str, str]:
    """(node, port) of `[scheme:]node[:port]`. Errors: BadRequest."""
    parts = name.split(":")
    if len(parts) == 3 and parts[0] in ("http", "https", ""):
        parts = parts[1:]
    if len(parts) > 2 or not parts[0] or (len(parts) == 2 and parts[1] and not parts[1].isdecimal()):
        raise errors.BadRequest(f'invalid node request "{name}"')
    return parts[0], (parts[1] if len(parts) == 2 else "") or PORT


class Kubelet:
    """One node's, for one request."""

    def __init__(self, site: Site, cluster: int, name: str, node: Manifest, machine: dict[str, Any]) -> None:
        self._site, self._cluster, self._name, self._node, self._machine = site, cluster, name, node, machine

    def answer(self, path: str) -> Reply:
        path = path.strip("/")
        if path in _PAGES:
            return _PAGES[path](self)
        return plain(404, "404 page not found\n")

    # --- figures ------------------------------------------------------------------------------------------------

    def _running(self) -> list[dict[str, Any]]:
        now = self._site.now
        return [
            each
            for each in self._site.all_records()
            if each["node"] == self._name
            and each["started"] is not None
            and each["started"] <= now
            and (each["ended"] is None or each["ended"] > now)
        ]

    def _look(self) -> kubelets.Node:
        cpu = _cpu.setdefault(self._cluster, kubelets.CpuTime())
        _cpu.move_to_end(self._cluster)
        if len(_cpu) > KEPT:
            _cpu.popitem(last=False)
        return kubelets.Node(self._name, self._machine, self._running(), self._site.now, self._site.epoch, cpu)

    def metrics(self) -> Reply:
        return _text(self._look().metrics())

    def cadvisor(self) -> Reply:
        return _text(self._look().cadvisor())

    def resource(self) -> Reply:
        return _text(self._look().resource())

    def summary(self) -> Reply:
        return json_reply(self._look().summary())._replace(headers=(NO_CACHE,))

    # --- pods ---------------------------------------------------------------------------------------------------

    def _mine(self) -> list[Manifest]:
        return [pod for pod in self._site.list("Pod") if pod["spec"].get("nodeName") == self._name]

    def pods(self) -> Reply:
        return json_reply({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self._mine()})

    def running_pods(self) -> Reply:
        """Pods as the runtime tells of them: who they are, and which of their containers run."""
        running: dict[str, list[dict[str, Any]]] = {}
        for record in self._running():
            running.setdefault(str(record["uid"]), []).append(record)
        items = [
            {
                "metadata": {"name": found[0]["pod"], "namespace": found[0]["namespace"], "uid": uid},
                "spec": {"containers": [{"name": each["name"], "image": each["image"]} for each in found]},
                "status": {},
            }
            for uid, found in sorted(running.items())
        ]
        return json_reply({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    def files(self) -> Reply:
        """The directory /var/log, as Go's file server lists it."""
        names = ("containers/", "pods/")
        links = "".join(f'<a href="{name}">{name}</a>\n' for name in names)
        page = f'<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n{links}</pre>\n'
        return Reply(200, "text/html; charset=utf-8", page.encode(), (NO_CACHE,))

    def configuration(self) -> Reply:
        """What this kubelet goes by; settings that nothing here obeys are not claimed."""
        setup = configuration.read(self._machine.get("kubelet"))
        found = {
            "kind": "KubeletConfiguration",
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "port": int(PORT),
            "clusterDomain": resolvconf.DOMAIN,
            "clusterDNS": [resolvconf.CLUSTER_DNS],
            "nodeStatusUpdateFrequency": _go(kubelet.UPDATE_EVERY),
            "nodeStatusReportFrequency": _go(kubelet.REPORT_EVERY),
            "nodeLeaseDurationSeconds": kubelet.LEASE_SECONDS,
            "maxPods": int(((self._node.get("status") or {}).get("capacity") or {}).get("pods", 110)),
            "evictionHard": setup.hard(),
            "evictionPressureTransitionPeriod": _go(setup.transition),
            "imageGCHighThresholdPercent": setup.gc_high,
            "imageGCLowThresholdPercent": setup.gc_low,
            "containerLogMaxFiles": setup.log_files,
            "nodeStatusMaxImages": node_status.IMAGES_REPORTED,
            "crashLoopBackOff": {"maxContainerRestartPeriod": _go(restarts.LONGEST)},
            "containerRuntimeEndpoint": f"unix://{committed.runtime_of(self._machine).socket}",
        }
        return json_reply({"kubeletconfig": found})


def _go(microseconds: int) -> str:
    """A duration as Go prints it: `10s`, `5m0s`."""
    minutes, seconds = divmod(microseconds // 1_000_000, 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def _text(samples: Any) -> Reply:
    return Reply(200, metrics.MEDIA, families.text(samples).encode(), (NO_CACHE,))


_PAGES = {
    "metrics": Kubelet.metrics,
    "metrics/cadvisor": Kubelet.cadvisor,
    "metrics/resource": Kubelet.resource,
    "stats/summary": Kubelet.summary,
    "pods": Kubelet.pods,
    "runningpods": Kubelet.running_pods,
    "logs": Kubelet.files,
    "configz": Kubelet.configuration,
    "healthz": lambda one: plain(200, "ok"),
    "healthz/ping": lambda one: plain(200, "ok"),
    "healthz/syncloop": lambda one: plain(200, "ok"),
}
