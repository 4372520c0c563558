"""Static pods: what a kubelet runs because a file on its own disk says so, whether or not there is an API server.

    /etc/kubernetes/manifests/web.yaml   ->  static pod web-worker-1, uid: a hash of the file
                                         ->  mirror pod web-worker-1, uid: the API server's

The kubelet reads the directory when a file in it changes. A file's pod runs until the file goes, or says something
else: then it is ended as any pod is, and the next one of its name begins after that. What the API server is told is
only an image, the mirror pod: whoever deletes it ends nothing, and the kubelet makes it again. Its annotations say so:

    kubernetes.io/config.source   file                  kubernetes.io/config.hash     the static pod's uid
    kubernetes.io/config.seen     when it was read      kubernetes.io/config.mirror   likewise, on the mirror alone

Files are those of the machine's disk, which hostPath volumes show, too. What was read and what became of it stands in
the kubelet's memory: {uid: {file, pod, status, ending}}. A kubelet that was away reads everything anew.

Mirrors:  kubernetes/pkg/kubelet/config/file.go, common.go; pkg/kubelet/pod/mirror_client.go; pkg/kubelet/kubelet.go
          (tryReconcileMirrorPods)
Left out: manifests from a URL (--manifest-url); the hash is FNV-1a of the pod as JSON, not as Go prints its struct; a
          uid, or a time of deletion, that the file gives: the pod has a uid of its own on each machine, and runs.
Limits:   100 files of a directory are read, the first ones by name; 256 KiB a file.
Read next: apiserver/scheme.py, which decodes them; kubelet.py, which runs them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import orjson

from cluster.engine.cells import Cells, Section
from cluster.engine.client import Client
from cluster.engine.clock import MINUTE, Clock
from cluster.engine.informer import Informers
from cluster.objects import Manifest, meta, pods, times
from cluster.objects.errors import ApiError
from cluster.objects.gostructs import fnv128a
from cluster.objects.names import name_problems
from cluster.runtime.live.files import DIRECTORY, FILE, Disk

DIRECTORY_PATH = "/etc/kubernetes/manifests"
CONFIG = "kubernetes.io/config."
HASH, SEEN, SOURCE = f"{CONFIG}hash", f"{CONFIG}seen", f"{CONFIG}source"
ANY_EFFECT = {"operator": "Exists", "effect": "NoExecute"}
MOST_FILES, MOST_CHARACTERS = 100, 256 * 1024
ENDING = ("deletionTimestamp", "deletionGracePeriodSeconds")
TRY_AGAIN = MINUTE  # Until a mirror pod that could not be made is tried again.
MEMORY = "static"

Entry = dict[str, Any]  # {file, pod, status, ending}


class Scheme(Protocol):
    """The types that a kubelet and the API server have in common: `cluster.apiserver.scheme` is one."""

    def decode(self, text: str) -> Manifest: ...
    def problems(self, pod: Manifest) -> list[str]: ...
    def reference(self, pod: Manifest) -> str: ...


# --- files --------------------------------------------------------------------------------------------------------


def disk_of(node: str) -> str:
    """The key of a machine's own disk."""
    return f"node/{node}"


def files(disk: Disk | None) -> dict[str, str]:
    """Path -> text of what the kubelet reads, in order: no hidden files, nothing below."""
    found = {}
    for path, entry in sorted((disk or {}).items()):
        directory, _, name = path.rpartition("/")
        if directory == DIRECTORY_PATH and not name.startswith(".") and entry is not None and entry[0] == FILE:
            found[path] = entry[3].encode("latin-1", "replace").decode(errors="replace")
    return dict(list(found.items())[:MOST_FILES])


def written(disk: Disk | None, name: str, text: str | None, now: int) -> Disk:
    """The disk with a manifest under that name, and the directories above it; `text` None: without it."""
    path, left = f"{DIRECTORY_PATH}/{name}", dict(disk or {})
    if text is None:
        left.pop(path, None)
        return left
    parts = DIRECTORY_PATH.split("/")
    for depth in range(2, len(parts) + 1):
        left.setdefault("/".join(parts[:depth]), [DIRECTORY, 0o755, now, ""])
    left[path] = [FILE, 0o644, now, text.encode().decode("latin-1")]
    return left


def read(scheme: Scheme, node: str, path: str, text: str) -> Manifest:
    """The static pod that a file asks for. Errors: ValueError, as the kubelet's log says it."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{path}: couldn't parse as pod(the file is larger than {MOST_CHARACTERS} characters)")
    try:
        pod = scheme.decode(text)
    except ValueError as error:
        raise ValueError(f"{path}: couldn't parse as pod({error}), please check config file") from error
    if not meta.name(pod):
        raise ValueError("invalid pod: name is needed for the pod")
    pod = _completed(pod, node, path)
    namespace = meta.namespace(pod)
    wrong = [f'metadata.namespace: Invalid value: "{namespace}": {each}' for each in name_problems(namespace, "label")]
    found = [*scheme.problems(pod), *wrong]
    if found:
        raise ValueError(f"invalid pod: [{', '.join(found)}]")
    plural = scheme.reference(pod)
    if plural:
        raise ValueError(f"static pods may not reference {plural}")
    return pod


def _completed(pod: Manifest, node: str, path: str) -> Manifest:
    """Name, uid, node, annotations, and that no taint drives it away."""
    given = {name: value for name, value in pod["metadata"].items() if name not in ENDING}
    spec = pod["spec"]
    source = f"host:{node}file:{path}".encode()
    uid = f"{fnv128a(orjson.dumps(pod, option=orjson.OPT_SORT_KEYS) + source):032x}"
    tolerations = [each for each in spec.get("tolerations") or () if not _is_same(each)]
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            **given,
            "name": f"{given['name']}-{node.lower()}",
            "namespace": given.get("namespace") or "default",
            "uid": uid,
            "annotations": {**(given.get("annotations") or {}), HASH: uid, SOURCE: "file"},
        },
        "spec": {**spec, "nodeName": node, "tolerations": [*tolerations, dict(ANY_EFFECT)]},
    }


def _is_same(toleration: Mapping[str, Any]) -> bool:
    """Is it for the same taints as the one that every static pod gets?"""
    return all(toleration.get(field, "") == ANY_EFFECT.get(field, "") for field in ("key", "operator", "effect"))


# --- what a kubelet knows of them ---------------------------------------------------------------------------------


class StaticPods:
    """The static pods of one node, and their mirrors. `memory`: the kubelet's."""

    def __init__(
        self,
        node: str,
        disks: Cells,
        scheme: Scheme,
        memory: Section,
        client: Client,
        informers: Informers,
        clock: Clock,
    ) -> None:
        self.node, self.disks, self.scheme, self.memory = node, disks, scheme, memory
        self.client, self.informers, self.clock = client, informers, clock

    def look(self) -> list[Manifest]:
        """Read the directory again: the pods that are new, and those that are to end now."""
        wanted, known, news = self._wanted(), self._entries(), []
        for uid, entry in known.items():
            if uid not in wanted and not entry["ending"]:
                known[uid] = {**entry, "ending": True}
                news.append(uid)
        for uid, (path, pod) in wanted.items():
            if uid in known:
                continue  # If it is ending, it begins anew after that: see `forget`.
            status = {"phase": "Pending", "qosClass": pods.qos_class(pod)}
            known[uid] = {"file": path, "pod": self._seen(pod), "status": status, "ending": False}
            news.append(uid)
        self._save(known)
        return [_shown(known[uid]) for uid in news]

    def _wanted(self) -> dict[str, tuple[str, Manifest]]:
        """Uid -> (path, pod) of what the files ask for; the first of two by the same name counts."""
        found: dict[str, tuple[str, Manifest]] = {}
        for path, text in files(self.disks.get(disk_of(self.node))).items():
            try:
                pod = read(self.scheme, self.node, path, text)
            except ValueError:
                continue  # A real kubelet tells only its log; who asks `read` hears it.
            if all(meta.key(pod) != meta.key(other) for _, other in found.values()):
                found.setdefault(meta.uid(pod), (path, pod))
        return found

    def _seen(self, pod: Manifest) -> Manifest:
        now = times.rfc3339_micro(self.clock.unix()).rstrip("Z").rstrip("0").rstrip(".")
        annotations = {**pod["metadata"]["annotations"], SEEN: f"{now}Z"}
        return {**pod, "metadata": {**pod["metadata"], "annotations": dict(sorted(annotations.items()))}}

    def _entries(self) -> dict[str, Entry]:
        return dict(self.memory.get(MEMORY) or {})

    def _save(self, entries: dict[str, Entry]) -> None:
        if entries != (self.memory.get(MEMORY) or {}):
            if entries:
                self.memory[MEMORY] = dict(sorted(entries.items()))
            else:
                self.memory.pop(MEMORY)

    def pods(self) -> list[Manifest]:
        """All of them, with their status; one that is ending looks as one that is being deleted."""
        return [_shown(entry) for entry in (self.memory.get(MEMORY) or {}).values()]

    def get(self, uid: str) -> Manifest | None:
        entry = (self.memory.get(MEMORY) or {}).get(uid)
        return _shown(entry) if entry is not None else None

    def waits(self, uid: str) -> bool:
        """Has another one of its name to end first?"""
        entries = self.memory.get(MEMORY) or {}
        mine = entries.get(uid)
        return (
            mine is not None
            and not mine["ending"]
            and any(other["ending"] and meta.key(other["pod"]) == meta.key(mine["pod"]) for other in entries.values())
        )

    def keep(self, pod: Manifest) -> None:
        """Remember a status."""
        entries = self._entries()
        uid = meta.uid(pod)
        entries[uid] = {**entries[uid], "status": pod["status"]}
        self._save(entries)

    def forget(self, pod: Manifest) -> list[Manifest]:
        """It has ended: those that waited for that. What its file says now is for `look` to find out."""
        entries = self._entries()
        entries.pop(meta.uid(pod), None)
        self._save(entries)
        return [_shown(entry) for entry in entries.values() if meta.key(entry["pod"]) == meta.key(pod)]

    # --- mirrors ------------------------------------------------------------------------------------------------

    def mirror_of(self, namespace: str, name: str) -> Manifest | None:
        """The mirror pod of that name that is bound to this node."""
        found = self.informers.get("Pod", namespace, name)
        is_ours = found is not None and pods.is_mirror(found) and pods.by_node(found) == [self.node]
        return found if is_ours else None

    def reconcile(self, namespace: str, name: str) -> bool:
        """Show the API server what runs here under a name. False: it refused, so try again later."""
        here = [pod for pod in self.pods() if (meta.namespace(pod), meta.name(pod)) == (namespace, name)]
        mirror = self.mirror_of(namespace, name)
        if any(meta.is_deleting(pod) for pod in here):
            return True  # The mirror stays until the last container has ended.
        try:
            if mirror is not None and not (here and _is_image(mirror, here[0])):
                self.client.delete("Pod", namespace, name, grace=0, uid=meta.uid(mirror))
                mirror = None
            if not here:
                return True
            if mirror is None:
                mirror = self._create(here[0])
            if mirror is not None:
                self.report(here[0], mirror)
        except ApiError:
            return False
        return True

    def _create(self, pod: Manifest) -> Manifest | None:
        """None: there is no Node yet (or no longer) that could own it. Errors: ApiError."""
        node = self.informers.get("Node", "", self.node)
        if node is None or meta.is_deleting(node):
            return None
        owner = {"apiVersion": "v1", "kind": "Node", "name": self.node, "uid": meta.uid(node), "controller": True}
        metadata = {name: value for name, value in pod["metadata"].items() if name != "uid"}
        metadata["annotations"] = dict(sorted({**metadata["annotations"], pods.MIRROR: meta.uid(pod)}.items()))
        metadata["ownerReferences"] = [owner]
        return self.client.create({**pod, "metadata": metadata})

    def report(self, pod: Manifest, mirror: Manifest | None = None) -> None:
        """Tell the API server the status of a static pod, if it shows it. Errors: ApiError."""
        mirror = mirror or self.mirror_of(meta.namespace(pod), meta.name(pod))
        if mirror is not None and mirror["metadata"]["annotations"][pods.MIRROR] == meta.uid(pod):
            self.client.update_status({**mirror, "status": pod["status"]})

    def orphans(self) -> Iterator[Manifest]:
        """Mirror pods that show nothing which runs here."""
        known = {meta.key(pod) for pod in self.pods()}
        for pod in self.informers.by_index("Pod", "node", self.node):
            if pods.is_mirror(pod) and meta.key(pod) not in known:
                yield pod


def _is_image(mirror: Manifest, pod: Manifest) -> bool:
    return not meta.is_deleting(mirror) and mirror["metadata"]["annotations"][pods.MIRROR] == meta.uid(pod)


def _shown(entry: Entry) -> Manifest:
    pod: Manifest = {**entry["pod"], "status": entry["status"]}
    if not entry["ending"]:
        return pod
    grace = int(pod["spec"].get("terminationGracePeriodSeconds", 30))
    ending = {"deletionTimestamp": "", "deletionGracePeriodSeconds": grace}
    return {**pod, "metadata": {**pod["metadata"], **ending}}
