"""The kinds of one cluster: those that are built in, and its own: custom ones, and those of servers behind this one.

The built-in table answers first and costs one look into a dict; the custom kinds are made when somebody asks for a
kind that is not in it, and made again after a definition changed. Two definitions may use one `kind`, or that of a
built-in kind (serving.knative.dev has a Service, too), so objects are found by the *cache name*: `Service` is ours, and
`services.serving.knative.dev`, the definition's name, is theirs. The name says where they are stored, too, also when
the definition is gone and its objects are not.

Mirrors:  k8s.io/apiextensions-apiserver/pkg/apiserver (customresource_handler.go, …_discovery_controller.go)
Read next: registry/custom/ for how a definition becomes a kind.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from cluster.apiserver import registry
from cluster.apiserver.registry import Resource, aggregated
from cluster.apiserver.registry.custom import resources_of
from cluster.objects import Manifest, errors

DEFINITIONS = "CustomResourceDefinition"
SERVICES = "APIService"
PREFIXES = (registry.by_kind(DEFINITIONS).storage_prefix(), registry.by_kind(SERVICES).storage_prefix())
_BUILT_IN_VERSIONS = {(r.group, r.version) for r in registry.RESOURCES}


Objects = Callable[[], Iterable[Manifest]]


class Kinds:
    """`definitions`, `services`: the cluster's CustomResourceDefinitions and APIServices as they are now.

    None: there are none, ever.
    """

    def __init__(self, definitions: Objects | None = None, services: Objects | None = None) -> None:
        self._definitions, self._services = definitions, services
        self._custom: _Custom | None = None if definitions else _Custom((), ())
        self._made: dict[Hashable, Any] = {}

    def changed(self, old: Manifest | None = None, new: Manifest | None = None) -> None:
        """A definition or an APIService changed: whoever asks next gets the kinds made anew."""
        self._custom = None
        self._made.clear()

    @property
    def custom(self) -> "_Custom":
        if self._custom is None:
            self._custom = _Custom(*(ask() if ask else () for ask in (self._definitions, self._services)))
        return self._custom

    # --- one kind -----------------------------------------------------------------------------------------------

    def by_path(self, group: str, version: str, plural: str) -> Resource | None:
        return registry.by_path(group, version, plural) or self.custom.by_path.get((group, version, plural))

    def find(self, kind: str, api_version: str) -> Resource | None:
        return registry.find(kind, api_version) or self.custom.by_kind.get((kind, api_version))

    def by_kind(self, kind: str, api_version: str) -> Resource:
        """Errors: PathNotFound."""
        found = self.find(kind, api_version)
        if found is None:
            raise errors.PathNotFound()
        return found

    def stored(self, cache: str) -> Resource:
        """The stored version of the kind whose objects informers hold under that name. Errors: PathNotFound."""
        found = registry.find(cache, "") or self.custom.stored.get(cache)
        if found is None:
            raise errors.PathNotFound()
        return found

    def serves(self, cache: str) -> bool:
        return registry.find(cache, "") is not None or cache in self.custom.stored

    def caches(self) -> dict[str, str]:
        """`deployments.apps` to the name under which informers hold such objects, of all that can be created here."""
        return self.made("caches", self._caches)  # type: ignore[no-any-return]

    def _caches(self) -> dict[str, str]:
        creatable = (r for r in self.resources if "create" in r.verbs and "list" in r.verbs)
        return {errors.qualified(r.group, r.plural): r.cache for r in creatable if r.namespaced}

    # --- all kinds ----------------------------------------------------------------------------------------------

    @property
    def resources(self) -> tuple[Resource, ...]:
        """All that is served, one entry a version: built-in kinds first."""
        return (*registry.RESOURCES, *self.custom.resources)

    @property
    def stored_resources(self) -> list[Resource]:
        """All that objects of their own are stored of, one entry a kind."""
        every = (*registry.RESOURCES, *self.custom.stored.values())
        return [resource for resource in every if not resource.stored_as and "list" in resource.verbs]

    def of_version(self, group: str, version: str) -> list[Resource]:
        return [r for r in self.resources if (r.group, r.version) == (group, version)]

    def made(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """`make()`, once for as long as no kind changes."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


class _Custom:
    """The kinds of some definitions and of some APIServices."""

    def __init__(self, definitions: Iterable[Manifest], services: Iterable[Manifest]) -> None:
        ordered = sorted(definitions, key=lambda each: each["metadata"]["name"])
        found = [resource for definition in ordered for resource in resources_of(definition)]
        own = [r for r in found if (r.group, r.version) not in _BUILT_IN_VERSIONS and "get" in r.verbs]
        elsewhere = aggregated.served(services)
        passed_on = {(r.group, r.version) for r in elsewhere}
        self.resources = [*(r for r in own if (r.group, r.version) not in passed_on), *elsewhere]
        self.by_path = {(r.group, r.version, r.plural): r for r in self.resources}
        self.by_kind = {(r.kind, r.api_version): r for r in self.resources}
        self.stored = {r.cache: r for r in reversed(found) if (r.group, r.version) not in _BUILT_IN_VERSIONS}
        for resource in found:
            if resource.version == resource.stored_version:
                self.stored[resource.cache] = resource


BUILT_IN = Kinds()


def cache_of(key: str, obj: Manifest) -> str:
    """Under which name informers hold the object that is stored under `key`."""
    if registry.find(obj["kind"], obj["apiVersion"]) is not None:
        return str(obj["kind"])
    _, _, group, plural, *_ = key.split("/")
    return f"{plural}.{group}"


def stored_under(cache: str) -> Resource:
    """Where objects of that name are stored, also of a custom kind of which nothing else is known.

    Errors: PathNotFound.
    """
    plural, dot, group = cache.partition(".")
    if not dot:
        return registry.by_kind(cache)
    return Resource(group, "", plural, plural, storage=f"{group}/{plural}", cache=cache)


def key_of(cache: str, namespace: str, name: str) -> str:
    """The storage key of the object that informers hold under that name. Errors: PathNotFound."""
    plural, dot, group = cache.partition(".")
    if dot:
        return f"/registry/{group}/{plural}/{namespace}/{name}" if namespace else f"/registry/{group}/{plural}/{name}"
    return registry.by_kind(cache).storage_key(namespace, name)
