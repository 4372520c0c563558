"""Pod specs: what is filled in when the author left it out.

A template's spec and a pod's spec follow the same rules. Results are memoised by the identity of the spec: five
thousand pods of one template are defaulted once.

Mirrors:  kubernetes/pkg/apis/core/v1/defaults.go (SetDefaults_PodSpec and its neighbours)
Left out: defaults of storage volumes and of resource claims.
Read next: podrules.py, which checks what this file has completed.
"""

from cluster.objects import Manifest
from cluster.objects.memo import IdentityMemo

_memo = IdentityMemo(1024)


def defaulted(spec: Manifest) -> Manifest:
    """The pod spec with its defaults."""
    return _memo.get(spec, "defaults", _defaulted)  # type: ignore[no-any-return]


def _defaulted(spec: Manifest) -> Manifest:
    new: Manifest = {**spec}
    host_network = bool(spec.get("hostNetwork"))
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        if kind in spec:
            new[kind] = [_container(container, host_network) for container in spec[kind]]
    if "volumes" in spec:
        new["volumes"] = [_volume(volume) for volume in spec["volumes"]]
    new.setdefault("restartPolicy", "Always")
    new["terminationGracePeriodSeconds"] = _grace(new.get("terminationGracePeriodSeconds"))
    new.setdefault("dnsPolicy", "ClusterFirst")
    new.setdefault("securityContext", {})
    new.setdefault("schedulerName", "default-scheduler")
    if new.get("serviceAccountName"):
        new["serviceAccount"] = new["serviceAccountName"]
    elif new.get("serviceAccount"):
        new["serviceAccountName"] = new["serviceAccount"]
    return {name: value for name, value in new.items() if value not in ([], None)}


def _grace(seconds: int | None) -> int:
    """Half a minute unless said otherwise; a negative one is an old way to say one second."""
    return 30 if seconds is None else 1 if seconds < 0 else seconds


def defaulted_pod(spec: Manifest) -> Manifest:
    """What only a pod gets, not a template."""
    return _memo.get(spec, "pod", _as_pod)  # type: ignore[no-any-return]


def _as_pod(spec: Manifest) -> Manifest:
    new = {**defaulted(spec)}
    new.setdefault("enableServiceLinks", True)
    for kind in ("initContainers", "containers"):
        if kind in new:
            new[kind] = [_requests_from_limits(container) for container in new[kind]]
    return new


def _requests_from_limits(container: Manifest) -> Manifest:
    """A limit without a request is a request: requests default to limits."""
    resources = container.get("resources") or {}
    missing = {k: v for k, v in resources.get("limits", {}).items() if k not in resources.get("requests", {})}
    if not missing:
        return container
    return {**container, "resources": {**resources, "requests": {**resources.get("requests", {}), **missing}}}


def _container(container: Manifest, host_network: bool) -> Manifest:
    new = {**container}
    if "ports" in container:
        new["ports"] = [_port(port, host_network) for port in container["ports"]]
    if "env" in container:
        new["env"] = [_env(entry) for entry in container["env"]]
    new.setdefault("resources", {})
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            new[probe] = _probe(container[probe])
    for hook, handler in (container.get("lifecycle") or {}).items():
        if isinstance(handler, dict) and "httpGet" in handler:
            new["lifecycle"] = {**new["lifecycle"], hook: {**handler, "httpGet": _http_get(handler["httpGet"])}}
    new.setdefault("terminationMessagePath", "/dev/termination-log")
    new.setdefault("terminationMessagePolicy", "File")
    if not new.get("imagePullPolicy"):
        new["imagePullPolicy"] = "Always" if _is_latest(new.get("image", "")) else "IfNotPresent"
    return {name: value for name, value in new.items() if value not in ([], None)}


def _is_latest(image: str) -> bool:
    if "@" in image:
        return False
    last = image.rsplit("/", 1)[-1]
    return ":" not in last or last.endswith(":latest")


def _port(port: Manifest, host_network: bool) -> Manifest:
    new = {**port}
    new.setdefault("protocol", "TCP")
    if host_network and not new.get("hostPort"):
        new["hostPort"] = new.get("containerPort")
    return new


def _env(entry: Manifest) -> Manifest:
    reference = (entry.get("valueFrom") or {}).get("fieldRef")
    if reference is None or reference.get("apiVersion"):
        return entry
    return {**entry, "valueFrom": {**entry["valueFrom"], "fieldRef": {"apiVersion": "v1", **reference}}}


def _probe(probe: Manifest) -> Manifest:
    new = {**probe}
    if "httpGet" in new:
        new["httpGet"] = _http_get(new["httpGet"])
    if "grpc" in new:
        new["grpc"] = {"service": "", **new["grpc"]}
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        if not new.get(name):
            new[name] = value
    return new


def _http_get(action: Manifest) -> Manifest:
    return {**action, "path": action.get("path") or "/", "scheme": action.get("scheme") or "HTTP"}


def _volume(volume: Manifest) -> Manifest:
    """Modes default to 0644; a volume without any source is an empty directory."""
    new = {**volume}
    if len(new) == 1:
        new["emptyDir"] = {}
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if source in new:
            new[source] = {**new[source], "defaultMode": new[source].get("defaultMode", 420)}
    if "downwardAPI" in new:
        new["downwardAPI"] = {
            **new["downwardAPI"],
            "items": [_downward(i) for i in new["downwardAPI"].get("items", [])],
        }
    if "projected" in new:
        new["projected"] = {**new["projected"], "sources": [_source(s) for s in new["projected"].get("sources") or []]}
    if "hostPath" in new:
        new["hostPath"] = {**new["hostPath"], "type": new["hostPath"].get("type", "")}
    return new


def _source(source: Manifest) -> Manifest:
    if "serviceAccountToken" in source:
        token = source["serviceAccountToken"]
        return {**source, "serviceAccountToken": {"expirationSeconds": 3600, **token}}
    if "downwardAPI" in source:
        return {
            **source,
            "downwardAPI": {
                **source["downwardAPI"],
                "items": [_downward(i) for i in source["downwardAPI"].get("items", [])],
            },
        }
    return source


def _downward(item: Manifest) -> Manifest:
    reference = item.get("fieldRef")
    return {**item, "fieldRef": {"apiVersion": "v1", **reference}} if reference else item
