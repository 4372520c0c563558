"""Builders of clusters and objects for tests. They start with `a_` and read like a sentence.

    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", replicas=3)).settled()

A `TestCluster` is a real world in memory, driven in simulated time: nothing sleeps, nothing is mocked.
"""

from typing import Any

import orjson

from cluster.apiserver.kinds import BUILT_IN, Kinds
from cluster.engine.clock import SECOND
from cluster.objects import Manifest, meta
from cluster.why import WorldRecords, explain
from cluster.world import World

EPOCH = 1_795_484_400_000_000  # 2026-11-24T02:20:00Z, in microseconds: tests begin there.


class Refused(AssertionError):
    """A request of the test was refused; carries the Status body."""

    def __init__(self, status: int, body: Manifest) -> None:
        super().__init__(f"{status}: {body.get('message', body)}")
        self.status, self.body = status, body


class TestCluster:
    """A world with the words of a cluster admin."""

    __test__ = False

    def __init__(self, world: World) -> None:
        self.world = world
        self._requests = 0
        self._user: Manifest | None = None  # None: the administrator.

    @property
    def revision(self) -> int:
        return self.world.store.revision

    # --- acting -------------------------------------------------------------------------------------------------

    def acting_as(self, name: str, *groups: str) -> "TestCluster":
        """The same world, in which `name` of these groups sends the requests."""
        other = TestCluster(self.world)
        other._user = {"name": name, "groups": [*groups, "system:authenticated"]}
        return other

    def request(
        self, method: str, path: str, body: Any = None, query: str = "", content_type: str = "application/json"
    ) -> Manifest:
        """One API request at this moment. Errors: Refused."""
        self._requests += 1
        text = "" if body is None else orjson.dumps(body).decode()
        request = {"type": "api", "method": method, "path": path, "query": query, "body": text}
        request["headers"] = {"content-type": content_type, "user-agent": "test"}
        if self._user is not None:
            request["user"] = self._user
        response = self.world.execute(f"test-{self._requests}", request)
        answer = orjson.loads(response.body)
        if response.status >= 300:
            raise Refused(response.status, answer)
        return answer  # type: ignore[no-any-return]

    def act(self, type_: str, **fields: Any) -> Manifest:
        """A click: power-off, power-on, node-add, node-remove … Errors: Refused."""
        self._requests += 1
        response = self.world.execute(f"test-{self._requests}", {"type": type_, **fields})
        answer = orjson.loads(response.body)
        if response.status >= 300:
            raise Refused(response.status, answer)
        return answer  # type: ignore[no-any-return]

    def create(self, obj: Manifest) -> Manifest:
        return self.request("POST", self.collection(obj), obj)

    def collection(self, obj: Manifest) -> str:
        return collection(obj, self.world.server.kinds)

    def delete(self, obj: Manifest, **options: Any) -> Manifest:
        return self.request("DELETE", f"{self.collection(obj)}/{meta.name(obj)}", options or None)

    def patch(self, obj: Manifest, patch: Manifest, subresource: str = "") -> Manifest:
        path = f"{self.collection(obj)}/{meta.name(obj)}" + (f"/{subresource}" if subresource else "")
        return self.request("PATCH", path, patch, content_type="application/merge-patch+json")

    def scale(self, obj: Manifest, replicas: int) -> Manifest:
        return self.patch(obj, {"spec": {"replicas": replicas}})

    def power_off(self, node: str) -> Manifest:
        return self.act("power-off", node=node)

    def power_on(self, node: str) -> Manifest:
        return self.act("power-on", node=node)

    # --- time ---------------------------------------------------------------------------------------------------

    def with_objects(self, *objects: Manifest) -> "TestCluster":
        for obj in objects:
            self.create(obj)
        return self

    def settle(self) -> "TestCluster":
        """Step until nothing worth seeing happens for a while."""
        self.world.settle()
        return self

    settled = settle

    def run_for(self, seconds: float) -> "TestCluster":
        until = self.world.now + int(seconds * SECOND)
        while not self.world.run(until):  # Cut short by a checkpoint, which a commit makes.
            self.world.commit()
        self.world.commit()
        return self

    def run_until(self, condition: Any, seconds: float = 600) -> "TestCluster":
        """Step until `condition(self)` holds. Errors: AssertionError after so many simulated seconds."""
        limit = self.world.now + int(seconds * SECOND)
        while not condition(self):
            due = self.world.next_due()
            assert due is not None, "nothing is planned"
            assert due <= limit, f"it did not happen within {seconds} simulated seconds"
            self.world.step()
        self.world.commit()
        return self

    # --- looking ------------------------------------------------------------------------------------------------

    def get(self, kind: str, name: str, namespace: str = "default") -> Manifest | None:
        return self.world.informers.get(kind, namespace, name) or self.world.informers.get(kind, "", name)

    def objects(self, kind: str, namespace: str | None = None) -> list[Manifest]:
        return self.world.informers.list(kind, namespace)

    def pods_of(self, app: str) -> list[Manifest]:
        """Pods with the label app=`app` that are not being deleted, oldest first."""
        pods = self.world.informers.list("Pod")
        return [p for p in pods if meta.labels(p).get("app") == app and not meta.is_deleting(p)]

    def events(self, reason: str = "") -> list[Manifest]:
        return [e for e in self.world.informers.list("Event") if not reason or e["reason"] == reason]

    def why(self, kind: str, name: str, namespace: str = "default") -> Manifest:
        return explain(WorldRecords(self.world), kind, namespace, name)


def collection(obj: Manifest, kinds: Kinds = BUILT_IN) -> str:
    """The URL of the collection that `obj` belongs to."""
    resource = kinds.by_kind(obj["kind"], obj["apiVersion"])
    root = f"/apis/{obj['apiVersion']}" if "/" in obj["apiVersion"] else f"/api/{obj['apiVersion']}"
    where = f"/namespaces/{meta.namespace(obj) or 'default'}" if resource.namespaced else ""
    return f"{root}{where}/{resource.plural}"


def a_cluster(nodes: int | list[Manifest] = 3, seed: int = 7, **options: Any) -> TestCluster:
    """A cluster that has booted and has its nodes Ready."""
    world = World.create(seed, EPOCH, {"nodes": nodes, **options})
    return TestCluster(world).settle()


def a_pod(name: str, image: str = "nginx:1.27", **spec: Any) -> Manifest:
    container = {"name": "app", "image": image}
    for field in ("command", "args", "resources", "ports", "env"):
        if field in spec:
            container[field] = spec.pop(field)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container], **spec}}


def _template(app: str, image: str, spec: Manifest) -> Manifest:
    pod = a_pod(app, image, **spec)
    return {"metadata": {"labels": {"app": app}}, "spec": pod["spec"]}


def a_replicaset(name: str, replicas: int = 1, image: str = "nginx:1.27", **spec: Any) -> Manifest:
    body = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": _template(name, image, spec)}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name}, "spec": body}


def a_deployment(name: str, replicas: int = 1, image: str = "nginx:1.27", **spec: Any) -> Manifest:
    return {**a_replicaset(name, replicas, image, **spec), "kind": "Deployment"}


def a_service(name: str, port: int = 80) -> Manifest:
    spec = {"selector": {"app": name}, "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
