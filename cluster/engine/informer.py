"""Informers: what every component knows of the cluster, always current, shared by all and changed by nobody.

A real informer lists and watches, and lags a little; controllers carry "expectations" against that. Here the API
server feeds one cache in the very write, so a reader is never behind. Handlers hear (old, new) and enqueue keys; the
reaction time comes from the queue.

Everything handed out is shared: never change it. Lists come in order of creation (by creation revision), in a
resident world and in a rebuilt one alike; that order is part of determinism.

Mirrors:  client-go/tools/cache (shared_informer.go, thread_safe_store.go)
Left out: resync periods, and lag. A stopped component misses events and lists anew when it starts.
"""

import builtins
from collections.abc import Callable
from typing import Any

from cluster.objects import Manifest, meta

Handler = Callable[[Manifest | None, Manifest | None], None]
IndexFunction = Callable[[Manifest], list[str]]


class Bucket:
    """Objects by key, handed out in order of creation; sorted again only when one joined out of order."""

    __slots__ = ("last", "objects", "ranks", "sorted")

    def __init__(self) -> None:
        self.objects: dict[str, Manifest] = {}
        self.ranks: dict[str, int] = {}
        self.last, self.sorted = -1, True

    def put(self, key: str, obj: Manifest, rank: int) -> None:
        if self.ranks.get(key) != rank:
            if key in self.objects:
                del self.objects[key]
            self.sorted = self.sorted and rank > self.last
            self.last = max(self.last, rank)
            self.ranks[key] = rank
        self.objects[key] = obj

    def drop(self, key: str) -> None:
        self.objects.pop(key, None)
        self.ranks.pop(key, None)

    def values(self) -> list[Manifest]:
        if not self.sorted:
            ranks = self.ranks
            self.objects = dict(sorted(self.objects.items(), key=lambda item: ranks[item[0]]))
            self.sorted = True
        return list(self.objects.values())


class KindCache:
    """All objects of one kind, with indexes."""

    def __init__(self) -> None:
        self.all = Bucket()
        self.namespaces: dict[str, Bucket] = {}
        self.functions: dict[str, IndexFunction] = {}
        self.indexes: dict[str, dict[str, Bucket]] = {}
        self.handlers: list[tuple[str, Handler]] = []
        self.routes: dict[str, dict[str, list[tuple[str, Handler]]]] = {}  # Index -> value -> handlers.

    def add_index(self, name: str, function: IndexFunction) -> None:
        if name in self.functions:
            return
        self.functions[name] = function
        self.indexes[name] = {}
        for key, obj in self.all.objects.items():
            self._index(name, key, None, obj, self.all.ranks[key])

    def apply(self, key: str, old: Manifest | None, new: Manifest | None, rank: int) -> None:
        if new is None:
            self.all.drop(key)
        else:
            self.all.put(key, new, rank)
        namespace = meta.namespace(new or old or {})
        if namespace:
            bucket = self.namespaces.get(namespace)
            if bucket is None:
                bucket = self.namespaces[namespace] = Bucket()
            if new is None:
                bucket.drop(key)
                if not bucket.objects:
                    del self.namespaces[namespace]
            else:
                bucket.put(key, new, rank)
        for name in self.functions:
            self._index(name, key, old, new, rank)

    def _index(self, name: str, key: str, old: Manifest | None, new: Manifest | None, rank: int) -> None:
        function, index = self.functions[name], self.indexes[name]
        after = function(new) if new is not None else []
        if old is not None:
            for value in function(old):
                if value not in after and value in index:
                    index[value].drop(key)
                    if not index[value].objects:
                        del index[value]
        for value in after:
            bucket = index.get(value)
            if bucket is None:
                bucket = index[value] = Bucket()
            bucket.put(key, new, rank)  # type: ignore[arg-type]


class Informers:
    """The caches of all kinds, by kind: `Pod`, `Deployment` …"""

    def __init__(self) -> None:
        self._kinds: dict[str, KindCache] = {}
        self.stopped: set[str] = set()  # Names of components that hear nothing now.

    def kind(self, kind: str) -> KindCache:
        cache = self._kinds.get(kind)
        if cache is None:
            cache = self._kinds[kind] = KindCache()
        return cache

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        return self.kind(kind).all.objects.get(f"{namespace}/{name}" if namespace else name)

    def by_key(self, kind: str, key: str) -> Manifest | None:
        """`key` is `namespace/name`, or `name` for kinds without namespace."""
        return self.kind(kind).all.objects.get(key)

    def list(self, kind: str, namespace: str | None = None) -> list[Manifest]:
        cache = self.kind(kind)
        if namespace is None:
            return cache.all.values()
        bucket = cache.namespaces.get(namespace)
        return bucket.values() if bucket else []

    def kinds_in(self, namespace: str) -> builtins.list[str]:
        """Kinds that have objects in `namespace`, sorted."""
        return sorted(kind for kind, cache in self._kinds.items() if namespace in cache.namespaces)

    def add_index(self, kind: str, name: str, function: IndexFunction) -> None:
        """Keep `kind` indexed by `function(obj) -> values`. The same name twice is the same index."""
        self.kind(kind).add_index(name, function)

    def by_index(self, kind: str, index: str, value: str) -> builtins.list[Manifest]:
        bucket = self.kind(kind).indexes[index].get(value)
        return bucket.values() if bucket else []

    def subscribe(self, kind: str, handler: Handler, component: str = "") -> None:
        """Call `handler(old, new)` at every change. It must only enqueue: it runs inside somebody else's write."""
        self.kind(kind).handlers.append((component, handler))

    def route(self, kind: str, index: str, value: str, handler: Handler, component: str) -> None:
        """Call `handler` at changes of objects that have, or had, `value` in `index`.

        A thousand kubelets want to hear of their own pods: asking each of them at every change would cost a thousand.
        """
        self.kind(kind).routes.setdefault(index, {}).setdefault(value, []).append((component, handler))

    def unsubscribe(self, component: str) -> None:
        """`component` is gone for good."""
        for cache in self._kinds.values():
            cache.handlers = [entry for entry in cache.handlers if entry[0] != component]
            for routes in cache.routes.values():
                for value in [value for value, found in routes.items() if any(e[0] == component for e in found)]:
                    routes[value] = [entry for entry in routes[value] if entry[0] != component]

    def load(self, kind: str, key: str, obj: Manifest, rank: int) -> None:
        """Fill the cache while a world is rebuilt: nobody is told, everybody knew it already."""
        self.kind(kind).apply(key, None, obj, rank)

    def apply(self, kind: str, key: str, old: Manifest | None, new: Manifest | None, rank: int) -> None:
        """A committed-to-memory write: update the caches, then tell every handler. `rank`: creation revision."""
        cache = self.kind(kind)
        cache.apply(key, old, new, rank)
        stopped = self.stopped
        for component, handler in cache.handlers:
            if component not in stopped:
                handler(old, new)
        for index, routes in cache.routes.items():
            function = cache.functions[index]
            values = dict.fromkeys(function(old) if old is not None else ())
            values |= dict.fromkeys(function(new) if new is not None else ())
            for value in values:
                for component, handler in routes.get(value, ()):
                    if component not in stopped:
                        handler(old, new)

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Everything, for a dump: kind to key to object."""
        return {kind: dict(sorted(c.all.objects.items())) for kind, c in sorted(self._kinds.items()) if c.all.objects}
