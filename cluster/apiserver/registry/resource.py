"""What a kind is to the API server: names, verbs, sub-resources, and the functions that make it itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cluster.apiserver import schema
from cluster.objects import Manifest
from cluster.objects.users import User

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
READ_WRITE = ("get", "patch", "update")

Problem = dict[str, str]  # {"reason": "FieldValueInvalid", "message": …, "field": "spec.replicas"}
Change = Callable[[Manifest], Manifest]
Check = Callable[[Manifest], list[Problem]]
UpdateCheck = Callable[[Manifest, Manifest, str], list[Problem]]
Decode = Callable[[Manifest], tuple[Manifest, list[str]]]  # (object, what it had too much)


class Subresource(NamedTuple):
    """`pods/eviction`: the kind it speaks, and how it may be called."""

    kind: str
    verbs: tuple[str, ...] = READ_WRITE
    group: str = ""
    version: str = ""


@dataclass(frozen=True)
class Resource:
    """One kind. Everything but names has a default: an entry says only what is special."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    singular: str = ""
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: dict[str, Subresource] = field(default_factory=dict)
    storage: str = ""  # Key prefix after /registry/; the plural if empty.
    selectable: tuple[str, ...] = ()  # Field paths beside metadata.name and metadata.namespace.
    default: Change | None = None
    on_create: Change | None = None  # What a creation resets or fills.
    on_update: Callable[[Manifest, Manifest], Manifest] | None = None  # (old, new): what an update resets or fills.
    generation: bool = False  # Does metadata.generation count changes of the spec?
    parts: dict[str, Callable[[Manifest, Manifest], Manifest]] = field(default_factory=dict)
    # … Sub-resources that change a part of the spec: (old spec, new spec) -> the spec as it will be.
    spec_fields: tuple[str, ...] = ("spec",)  # Top-level fields that generation counts.
    has_status: bool = False
    validate: Check | None = None
    validate_new: Check | None = None  # What is refused in new objects only.
    validate_update: UpdateCheck | None = None
    immutable: UpdateCheck | None = None  # Like validate_update, but its problems come last.
    name_rule: str = "subdomain"  # subdomain | label | path
    graceful: bool = False  # Is a deletion given a grace period? (pods)
    create_on_update: bool = False  # Does PUT create what is missing? (leases, events …)
    unconditional: bool = True  # May PUT leave out the resourceVersion?
    stamp: Callable[[Manifest, Manifest | None, str], Manifest] | None = None  # (new, old, now): times the server sets.
    requested_by: Callable[[Manifest, User], Manifest] | None = None  # (new object, user): who asked, written into it.
    orphans: bool = False  # Does a deletion that says nothing leave dependents alone? (jobs, replication controllers)
    returns_deleted: bool = False  # Does DELETE answer with the object?
    deprecated: str = ""  # What every answer about this version of the kind warns of.
    computed: Callable[..., tuple[Manifest, ...]] | None = None  # Never stored; made of (processes, members).
    elsewhere: bool = False  # Never stored; a server behind this one answers for it.
    stored_as: str = ""  # Kind whose storage this version of the kind shares (events.k8s.io).
    to_stored: Change | None = None
    from_stored: Change | None = None
    cache: str = ""  # Name of its informers' cache: the kind; of a custom kind its definition's name, `crontabs.x.io`.
    decode: Decode | None = None  # Of kinds whose structure a definition describes.
    prepare_update: Callable[[Manifest, Manifest, str], Manifest] | None = None  # Instead of what all kinds do.
    on_delete: Callable[[Manifest, str], Manifest] | None = None  # What the mark of a deletion brings; (object, now).
    scale_of: Change | None = None  # The object as a Scale, of kinds with a scale of their own making.
    scaled: Callable[[Manifest, Manifest], Manifest] | None = None  # (object, Scale) -> object
    printer: Any = None  # A table.Printer, of kinds that say themselves how they print.
    openapi: Callable[[], Manifest] | None = None  # Type names to schemas, of kinds that no table of ours knows.
    list_kind: str = ""  # Of kinds that name their lists themselves; else the kind and `List`.
    ratchets: bool = False  # Does validate_update look at the whole object, too?
    structure: Callable[[], schema.Type] | None = None  # Of kinds that no table of ours knows.
    refuses: str = ""  # Why nothing can be created now.
    stored_version: str = ""  # The version in which it is stored; its own if empty.

    def __post_init__(self) -> None:
        if not self.cache:
            object.__setattr__(self, "cache", self.stored_as or self.kind)

    @property
    def is_custom(self) -> bool:
        return "." in self.cache

    @property
    def is_own(self) -> bool:
        """Is it a kind that only some clusters have?"""
        return self.is_custom or self.elsewhere

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular_name(self) -> str:
        return self.singular or self.kind.lower()

    def storage_prefix(self, namespace: str = "") -> str:
        """`/registry/pods/` or `/registry/pods/default/`: where the keys of this kind begin."""
        base = f"/registry/{self.storage or self.plural}/"
        return f"{base}{namespace}/" if namespace else base

    def storage_key(self, namespace: str, name: str) -> str:
        base = f"/registry/{self.storage or self.plural}/"
        return f"{base}{namespace}/{name}" if namespace else base + name

    def is_known(self, kind: str, api_version: str) -> bool:
        """Is that a kind of Kubernetes 1.37 at all?"""
        group, _, version = api_version.rpartition("/")
        return schema.is_known(group, version, kind)


STATUS = {"status": Subresource("", READ_WRITE)}
SCALE = {"scale": Subresource("Scale", READ_WRITE, "autoscaling", "v1")}
