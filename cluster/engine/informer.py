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

from cluster.objects import Manifest

Handler = Callable[[Manifest | None, Manifest | None], None]
IndexFunction = Callable[[Manifest], list[str]]


class Bucket:
    """Keys of objects in order of creation; sorted again only when one joined out of order."""

    __slots__ = ("keys", "last", "sorted")

    def __init__(self) -> None:
        self.keys: dict[str, None] = {}
        self.last, self.sorted = -1, True

    def add(self, key: str, rank: int) -> None:
        self.sorted = self.sorted and rank > self.last
        self.last = max(self.last, rank)
        self.keys[key] = None

    def ordered(self, ranks: dict[str, int]) -> dict[str, None]:
        if not self.sorted:
            self.keys = dict.fromkeys(sorted(self.keys, key=ranks.__getitem__))
            self.sorted = True
        return self.keys


class KindCache:
    """All objects of one kind, with indexes. An update that leaves an index's values alone leaves the index alone."""

    def __init__(self) -> None:
        self.objects: dict[str, Manifest] = {}
        self.ranks: dict[str, int] = {}  # Creation revisions: the order in which lists are handed out.
        self.all = Bucket()
        self.namespaces: dict[str, Bucket] = {}
        self.functions: dict[str, IndexFunction] = {}
        self.indexes: dict[str, dict[str, Bucket]] = {}
        self.values: dict[str, dict[str, list[str]]] = {}  # Index -> key -> values it is found under.
        self.handlers: list[tuple[str, Handler]] = []
        self.routes: dict[str, dict[str, list[tuple[str, Handler]]]] = {}  # Index -> value -> handlers.

    def add_index(self, name: str, function: IndexFunction) -> None:
        if name in self.functions:
            return
        self.functions[name], self.indexes[name], self.values[name] = function, {}, {}
        for key, obj in self.objects.items():
            self._index(name, key, function(obj), self.ranks[key])

    def listed(self, bucket: Bucket | None) -> list[Manifest]:
        """The objects of a bucket, oldest first."""
        if bucket is None:
            return []
        objects = self.objects
        return [objects[key] for key in bucket.ordered(self.ranks)]

    def apply(self, key: str, new: Manifest | None, rank: int) -> None:
        if new is None:
            self._forget(key)
            return
        if self.ranks.get(key) != rank:
            if key in self.objects:
                self._forget(key)
            self.ranks[key] = rank
            self.all.add(key, rank)
            namespace = new["metadata"].get("namespace")
            if namespace:
                self.namespaces.setdefault(namespace, Bucket()).add(key, rank)
        self.objects[key] = new
        for name, function in self.functions.items():
            values = function(new)
            if values != self.values[name].get(key, _NONE):
                self._index(name, key, values, rank)

    def _forget(self, key: str) -> None:
        old = self.objects.pop(key, None)
        if old is None:
            return
        for name in self.functions:
            self._index(name, key, [], 0)
        self.all.keys.pop(key, None)
        namespace = old["metadata"].get("namespace")
        if namespace:
            self.namespaces[namespace].keys.pop(key, None)
            if not self.namespaces[namespace].keys:
                del self.namespaces[namespace]
        del self.ranks[key]

    def _index(self, name: str, key: str, values: list[str], rank: int) -> None:
        index, known = self.indexes[name], self.values[name]
        before = known.get(key, _NONE)
        for value in before:
            if value not in values:
                bucket = index[value]
                bucket.keys.pop(key, None)
                if not bucket.keys:
                    del index[value]
        for value in values:
            if value not in before:
                index.setdefault(value, Bucket()).add(key, rank)
        if values:
            known[key] = values
        else:
            known.pop(key, None)


_NONE: list[str] = []


class Informers:
    """The caches of all kinds: `Pod`, `Deployment` …; a custom kind's is named as its definition is."""

    def __init__(self) -> None:
        self._kinds: dict[str, KindCache] = {}
        self.stopped: set[str] = set()  # Names of components that hear nothing now.
        self._hooks: list[tuple[str, Callable[[str], None]]] = []
        self.ranks: dict[str, int] = {}  # Of components: the order in which they hear of a change. Others come last.

    def kind(self, kind: str) -> KindCache:
        cache = self._kinds.get(kind)
        if cache is None:
            cache = self._kinds[kind] = KindCache()
            if "." in kind:
                for _, hook in self._hooks:
                    hook(kind)
        return cache

    def on_custom(self, hook: Callable[[str], None], component: str) -> None:
        """Call `hook(name)` for every custom kind (`crontabs.stable.example.com`) that has a cache, or will have one.

        For who works on all kinds: it subscribes, or adds an index, to each.
        """
        self._hooks.insert(self._place(self._hooks, component), (component, hook))
        for kind in self.custom_kinds():
            hook(kind)

    def custom_kinds(self) -> builtins.list[str]:
        """The custom kinds of which there are, or were, objects, sorted."""
        return sorted(kind for kind in self._kinds if "." in kind)

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        return self.kind(kind).objects.get(f"{namespace}/{name}" if namespace else name)

    def by_key(self, kind: str, key: str) -> Manifest | None:
        """`key` is `namespace/name`, or `name` for kinds without namespace."""
        return self.kind(kind).objects.get(key)

    def list(self, kind: str, namespace: str | None = None) -> list[Manifest]:
        cache = self.kind(kind)
        return cache.listed(cache.all if namespace is None else cache.namespaces.get(namespace))

    def kinds_in(self, namespace: str) -> builtins.list[str]:
        """Kinds that have objects in `namespace`, sorted."""
        return sorted(kind for kind, cache in self._kinds.items() if namespace in cache.namespaces)

    def add_index(self, kind: str, name: str, function: IndexFunction) -> None:
        """Keep `kind` indexed by `function(obj) -> values`. The same name twice is the same index."""
        self.kind(kind).add_index(name, function)

    def by_index(self, kind: str, index: str, value: str) -> builtins.list[Manifest]:
        cache = self.kind(kind)
        return cache.listed(cache.indexes[index].get(value))

    def subscribe(self, kind: str, handler: Handler, component: str = "") -> None:
        """Call `handler(old, new)` at every change. It must only enqueue: it runs inside somebody else's write."""
        handlers = self.kind(kind).handlers
        handlers.insert(self._place(handlers, component), (component, handler))

    def _place(self, entries: builtins.list[Any], component: str) -> int:
        """Where a component that comes back stood: a rebuilt world would have it there, too."""
        rank = self.ranks.get(component)
        if rank is None:
            return len(entries)
        ranks = self.ranks
        return next((at for at, (name, _) in enumerate(entries) if ranks.get(name, rank + 1) > rank), len(entries))

    def route(self, kind: str, index: str, value: str, handler: Handler, component: str) -> None:
        """Call `handler` at changes of objects that have, or had, `value` in `index`.

        A thousand kubelets want to hear of their own pods: asking each of them at every change would cost a thousand.
        """
        self.kind(kind).routes.setdefault(index, {}).setdefault(value, []).append((component, handler))

    def unsubscribe(self, component: str) -> None:
        """`component` is gone for good."""
        self._hooks = [entry for entry in self._hooks if entry[0] != component]
        for cache in self._kinds.values():
            cache.handlers = [entry for entry in cache.handlers if entry[0] != component]
            for routes in cache.routes.values():
                for value in [value for value, found in routes.items() if any(e[0] == component for e in found)]:
                    routes[value] = [entry for entry in routes[value] if entry[0] != component]

    def load(self, kind: str, key: str, obj: Manifest, rank: int) -> None:
        """Fill the cache while a world is rebuilt: nobody is told, everybody knew it already."""
        self.kind(kind).apply(key, obj, rank)

    def apply(self, kind: str, key: str, old: Manifest | None, new: Manifest | None, rank: int) -> None:
        """A committed-to-memory write: update the caches, then tell every handler. `rank`: creation revision."""
        cache = self.kind(kind)
        before = [cache.values[index].get(key, _NONE) for index in cache.routes]
        cache.apply(key, new, rank)
        stopped = self.stopped
        for component, handler in cache.handlers:
            if not stopped or component not in stopped:
                handler(old, new)
        for (index, routes), values in zip(cache.routes.items(), before, strict=True):
            after = cache.values[index].get(key, _NONE)
            for value in values if values == after else dict.fromkeys((*values, *after)):
                for component, handler in routes.get(value, ()):
                    if component not in stopped:
                        handler(old, new)

    def sizes(self) -> dict[str, int]:
        """How many objects of each kind there are, of kinds that have any."""
        return {kind: len(cache.objects) for kind, cache in sorted(self._kinds.items()) if cache.objects}

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Everything, for a dump: kind to key to object."""
        return {kind: dict(sorted(c.objects.items())) for kind, c in sorted(self._kinds.items()) if c.objects}
