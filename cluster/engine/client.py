"""The API client: how a component reads and writes. Every write goes through the API server's whole pipeline.

The client knows who is calling (the component's user) and why (the causes of the running step), and hands both over
with each write. Objects that come back are shared with everybody: never change them.

Errors: `cluster.objects.errors.ApiError` and its kinds, as an HTTP client would see them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from cluster.engine.agenda import Agenda
from cluster.objects import Manifest, meta, users
from cluster.objects.errors import ApiError
from cluster.objects.users import User

REQUESTS = "|requests|"  # The slots of the agenda in which requests are counted, by user.
NODES = "system:nodes"  # All kubelets are counted as one.
Answer = TypeVar("Answer")


class ApiServer(Protocol):
    """What the client needs of the API server; `cluster.apiserver.server.Server` is one."""

    def create(self, user: User, obj: Manifest, subresource: str = "") -> Manifest: ...
    def record(self, event: Manifest) -> Manifest: ...
    def update(self, user: User, obj: Manifest, subresource: str = "") -> Manifest: ...
    def merge(
        self, user: User, kind: str, namespace: str, name: str, patch: Manifest, subresource: str
    ) -> Manifest: ...
    def delete(self, user: User, kind: str, namespace: str, name: str, options: Manifest) -> Manifest | None: ...
    def get(self, kind: str, namespace: str, name: str) -> Manifest: ...
    def bind(self, user: User, pod: Manifest, node: str) -> Manifest: ...
    def cache_of(self, kind: str, api_version: str) -> str | None: ...
    def serves(self, cache: str) -> bool: ...
    def caches(self) -> dict[str, str]: ...
    def read_scale(self, kind: str, group: str, namespace: str, name: str) -> Manifest: ...
    def scale(self, user: User, kind: str, group: str, namespace: str, name: str, replicas: int) -> Manifest: ...
    def list_aggregated(self, group: str, plural: str, namespace: str) -> list[Manifest]: ...
    def review(self, user: User, review: Manifest) -> Manifest: ...


class Client:
    """One component's connection to the API server. `user`: its Kubernetes user name."""

    def __init__(self, server: ApiServer, agenda: Agenda, user: str) -> None:
        self._server, self._agenda, self.user = server, agenda, users.named(user)
        self._counts = REQUESTS + (NODES if user.startswith("system:node:") else user)

    def _ask(self, verb: str, what: str, question: Callable[..., Answer], *arguments: Any) -> Answer:
        """Ask, and count how it was answered, as `apiserver_request_total` does. `what`: `Pod`, `Pod/status`."""
        try:
            answer = question(*arguments)
        except ApiError as error:
            self._agenda.count(self._counts, f"{verb} {what} {error.status}")
            raise
        self._agenda.count(self._counts, f"{verb} {what} {201 if verb == 'POST' else 200}")
        return answer

    def create(self, obj: Manifest) -> Manifest:
        return self._ask("POST", obj["kind"], self._server.create, self.user, obj)

    def record(self, event: Manifest) -> Manifest:
        """Create an Event that a recorder made. Errors: NotFound and Forbidden, about its namespace."""
        return self._ask("POST", "Event", self._server.record, event)

    def update(self, obj: Manifest) -> Manifest:
        """Replace everything but status. Conflict if `obj` has an old resourceVersion."""
        return self._ask("PUT", obj["kind"], self._server.update, self.user, obj)

    def update_status(self, obj: Manifest) -> Manifest:
        """Replace status only (kinds with a status sub-resource)."""
        return self._ask("PUT", f"{obj['kind']}/status", self._server.update, self.user, obj, "status")

    def approve(self, request: Manifest) -> Manifest:
        """PUT certificatesigningrequests/approval: replace its conditions only."""
        what = "CertificateSigningRequest/approval"
        return self._ask("PUT", what, self._server.update, self.user, request, "approval")

    def finalize(self, namespace: Manifest) -> Manifest:
        """PUT namespaces/finalize: replace `spec.finalizers` only."""
        return self._ask("PUT", "Namespace/finalize", self._server.update, self.user, namespace, "finalize")

    def patch(self, kind: str, namespace: str, name: str, patch: Manifest, subresource: str = "") -> Manifest:
        """Merge patch (RFC 7386): None deletes a field, lists are replaced whole."""
        what = f"{kind}/{subresource}" if subresource else kind
        return self._ask("PATCH", what, self._server.merge, self.user, kind, namespace, name, patch, subresource)

    def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        grace: int | None = None,
        uid: str | None = None,
        propagation: str | None = None,
    ) -> Manifest | None:
        """Delete; None if it is gone now, else the object with its deletionTimestamp. `grace`: seconds."""
        options: dict[str, Any] = {}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if uid:
            options["preconditions"] = {"uid": uid}
        if propagation:
            options["propagationPolicy"] = propagation
        return self._ask("DELETE", kind, self._server.delete, self.user, kind, namespace, name, options)

    def get(self, kind: str, namespace: str, name: str) -> Manifest:
        """Errors: NotFound."""
        return self._ask("GET", kind, self._server.get, kind, namespace, name)

    def bind(self, pod: Manifest, node: str) -> Manifest:
        """POST pods/binding. Errors: Conflict if it is bound already."""
        return self._ask("POST", "Pod/binding", self._server.bind, self.user, pod, node)

    def evict(self, pod: Manifest) -> Manifest:
        """POST pods/eviction. Errors: TooManyRequests if a PodDisruptionBudget forbids it now."""
        metadata = {"name": meta.name(pod), "namespace": meta.namespace(pod)}
        eviction = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": metadata}
        return self._ask("POST", "Pod/eviction", self._server.create, self.user, eviction, "eviction")

    def cache_of(self, kind: str, api_version: str) -> str | None:
        """The name under which informers hold such objects; None if this cluster does not serve the kind."""
        return self._server.cache_of(kind, api_version)

    def caches(self) -> dict[str, str]:
        """`deployments.apps` to the name of its informers' cache, of every kind that lives in namespaces."""
        return self._server.caches()

    def serves(self, cache: str) -> bool:
        """Can objects of that name be read and written? Not, if a definition is gone and its objects are not."""
        return self._server.serves(cache)

    def read_scale(self, kind: str, group: str, namespace: str, name: str) -> Manifest:
        """GET the Scale of a workload of any kind that has one. Errors: NotFound, and that the kind has none."""
        return self._ask("GET", f"{kind}/scale", self._server.read_scale, kind, group, namespace, name)

    def scale(self, kind: str, group: str, namespace: str, name: str, replicas: int) -> Manifest:
        """PUT it with other replicas."""
        asked = (self.user, kind, group, namespace, name, replicas)
        return self._ask("PUT", f"{kind}/scale", self._server.scale, *asked)

    def list_aggregated(self, group: str, plural: str, namespace: str) -> list[Manifest]:
        """List what another server answers for behind this one (the metrics API). Errors: nobody does, or not now."""
        return self._server.list_aggregated(group, plural, namespace)

    def review(self, review: Manifest) -> Manifest:
        """POST a SubjectAccessReview: its status, `{"allowed": …}`."""
        return self._server.review(self.user, review)

    @contextmanager
    def because(self, *causes: str) -> Iterator[None]:
        """Name the evidence of the writes inside: `because(revision_of(lease))`. It goes before the wake-ups."""
        before = self._agenda.causes
        self._agenda.causes = (*causes, *(cause for cause in before if cause not in causes))
        try:
            yield
        finally:
            self._agenda.causes = before


def revision_of(obj: Manifest) -> str:
    """The cause string of the revision that `obj` is: `r812`."""
    return f"r{obj['metadata']['resourceVersion']}"
