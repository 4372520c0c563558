"""Processes without pods, at addresses of their own: the control plane's /metrics and health.

    /clusters/<name>/control-plane                                  JSON: what there is, and where
    /clusters/<name>/control-plane/kube-scheduler/1/metrics         of a replica; without a number the first's
    /clusters/<name>/control-plane/etcd/etcd-0/metrics              of a member
    …/healthz (etcd: /health)                                       ok, while it runs

In a real cluster these are https://<control plane>:10259/metrics and the like, beside the API server and behind no
proxy of it; here there are no such sockets. Who may read /metrics of the API server by a nonResourceURL has to be given
these paths, too. A process that is stopped refuses, as its port would.

Mirrors:  kubernetes/cmd/kube-scheduler/app/server.go, etcd/server/etcdserver/api/etcdhttp
Read next: monitoring/controlplane.py.
"""

from cluster.apiserver.reads import Reader
from cluster.gateway import lists, metrics, pool
from cluster.gateway.http import NO_CACHE, Reply, Request, json_reply, plain
from cluster.gateway.site import Site
from cluster.monitoring import controlplane, families
from cluster.monitoring.controlplane import ETCD, ControlPlane

ROOT = "control-plane"
HEALTH = ("healthz", "livez", "readyz")


async def answer(request: Request, parts: list[str]) -> Reply | None:
    """`parts`: the path's, of which the first is ROOT. None: nobody is there. Errors: NotFound, Unreachable."""
    return await pool.in_thread(_answer, request.cluster, parts[1:])


def _answer(reader: Reader, cluster: str, parts: list[str]) -> Reply | None:
    site = Site.of(reader, cluster)
    if site is None:
        raise lists.NoSuchCluster(cluster)
    if not parts:
        return json_reply({"paths": paths(site)})
    job, page = parts[0], parts[-1]
    if job not in (*controlplane.PORTS, ETCD) or len(parts) not in (2, 3):
        return None
    name = parts[1] if len(parts) == 3 else ""
    found = controlplane.found(site, job, name)
    if page == "metrics":
        return Reply(200, metrics.MEDIA, families.text(found).encode(), (NO_CACHE,))
    if job == ETCD and page == "health":
        has_leader = any(labels["__name__"] == "etcd_server_has_leader" and value for labels, value in found)
        told = {"health": "true", "reason": ""} if has_leader else {"health": "false", "reason": "RAFT NO LEADER"}
        return json_reply(told)._replace(status=200 if has_leader else 503, headers=(NO_CACHE,))
    return plain(200, "ok") if job != ETCD and page in HEALTH else None


def paths(site: Site) -> list[str]:
    """Addresses of all processes but the API server, running or not."""
    found = (each for each in ControlPlane(site).processes() if each.job != controlplane.API)
    return [f"/{ROOT}/{each.job}/{each.name.rpartition('/')[2]}/metrics" for each in found]
