"""KubeSchedulerConfiguration: the file that kube-scheduler is started with (`--config`), read and checked.

    apiVersion: kubescheduler.config.k8s.io/v1
    kind: KubeSchedulerConfiguration
    profiles:
    - schedulerName: default-scheduler
    - schedulerName: packing                     pods choose it with spec.schedulerName
      plugins:
        score:
          disabled: [{name: NodeResourcesBalancedAllocation}]
          enabled: [{name: ImageLocality, weight: 5}]
      pluginConfig:
      - {name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated}}}

`multiPoint` switches a plugin on or off wherever it takes part; a single extension point says more about itself than
multiPoint does. At each point come first the plugins named there that are on by multiPoint anyway, then multiPoint's,
then the others named there.

Whatever is wrong is told in the words with which the real program ends at its start. It is one process of many clients
here: a wrong file changes nothing.

Mirrors:  kubernetes/pkg/scheduler/apis/config (v1/defaults.go, v1/default_plugins.go, validation/validation.go,
          scheme); framework/runtime/framework.go (NewFramework, expandMultiPointPlugins)
Left out: extenders; plugins that are not in the tree; another Lease or other durations of leader election; a plugin's
          Filter without its PreFilter, Score without PreScore. They are refused. PreFilter without Filter is read and
          does nothing (the real one's PreFilter could still refuse a pod); `parallelism`, `clientConnection` and
          profiling mean nothing here.
Read next: profile.py, which builds what is said here.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import yaml

from cluster.engine.client import Client
from cluster.engine.clock import SECOND
from cluster.engine.informer import Informers
from cluster.objects import Manifest, errors
from cluster.scheduler.arguments import (
    ANYTHING,
    ARGUMENTS,
    BOOL,
    FLOAT,
    INT,
    STRING,
    decode,
    duplicate,
    invalid,
    required,
)
from cluster.scheduler.framework import Profile
from cluster.scheduler.profile import DEFAULT_PLUGINS, PLUGINS, POINTS, SCHEDULER_NAME, build, default_profile
from cluster.scheduler.queue import FIRST_BACKOFF, LAST_BACKOFF

LIMIT = 64 << 10  # Characters of a configuration.
REMEMBERED = 16  # Texts that were read: a page asks again and again, and YAML is slow.
MOST_PROFILES = 16  # Each looks at all nodes for itself.
MOST_SCORE = (1 << 63) - 1  # What all weights together may come to.
GROUP, KIND = "kubescheduler.config.k8s.io", "KubeSchedulerConfiguration"
VERSION = f"{GROUP}/v1"
SCHEME = "k8s.io/kubernetes/pkg/scheduler/apis/config/scheme/scheme.go:30"
LEFT_OUT = "DynamicResources"  # On by default; it has nothing to do without ResourceClaims.
REMOVED = ("AzureDiskLimits", "CinderLimits", "EBSLimits", "GCEPDLimits")
TWINS = (("preFilter", "filter"), ("preScore", "score"))

PLUGIN_SET = {part: [{"name": STRING, "weight": INT}] for part in ("enabled", "disabled")}
PROFILE = {
    "schedulerName": STRING,
    "percentageOfNodesToScore": INT,
    "plugins": dict.fromkeys((*POINTS, "multiPoint"), PLUGIN_SET),
    "pluginConfig": [{"name": STRING, "args": ANYTHING}],
}
SHAPE = {
    "apiVersion": STRING,
    "kind": STRING,
    "parallelism": INT,
    "leaderElection": {
        "leaderElect": BOOL, "leaseDuration": STRING, "renewDeadline": STRING, "retryPeriod": STRING,
        "resourceLock": STRING, "resourceName": STRING, "resourceNamespace": STRING,
    },
    "clientConnection": {
        "kubeconfig": STRING, "acceptContentTypes": STRING, "contentType": STRING, "qps": FLOAT, "burst": INT,
    },
    "enableProfiling": BOOL,
    "enableContentionProfiling": BOOL,
    "percentageOfNodesToScore": INT,
    "podInitialBackoffSeconds": INT,
    "podMaxBackoffSeconds": INT,
    "profiles": [PROFILE],
    "extenders": [ANYTHING],
    "delayCacheUntilActive": BOOL,
}  # fmt: skip
ELECTION = {  # The only values that these may have.
    "leaderElect": True, "leaseDuration": "15s", "renewDeadline": "10s", "retryPeriod": "2s", "resourceLock": "leases",
    "resourceName": "kube-scheduler", "resourceNamespace": "kube-system",
}  # fmt: skip

Points = dict[str, list[tuple[str, int]]]


class Said(NamedTuple):
    """One profile. `points`: plugins and weights at each extension point; `args`: by plugin, complete."""

    name: str
    points: Points
    args: dict[str, Manifest]
    percentage: int


class Configuration(NamedTuple):
    """`first`, `last`: back-offs in microseconds. No profiles: the default one."""

    profiles: tuple[Said, ...] = ()
    first: int = FIRST_BACKOFF
    last: int = LAST_BACKOFF

    @property
    def names(self) -> list[str]:
        """Of the schedulers that pods may name."""
        return [said.name for said in self.profiles] or [SCHEDULER_NAME]

    def build(self, informers: Informers, client: Callable[[], Client] | None = None) -> dict[str, Profile]:
        """Profiles by name, each with plugins of its own."""
        if not self.profiles:
            return {SCHEDULER_NAME: default_profile(informers, client)}
        return {
            said.name: build(said.name, said.points, said.args, said.percentage, informers, client)
            for said in self.profiles
        }


DEFAULT = Configuration()


@lru_cache(maxsize=REMEMBERED)
def read(text: str) -> Configuration:
    """The configuration in `text`, YAML or JSON; empty: the default one. Errors: BadRequest: what is wrong with it."""
    if not text.strip():
        return DEFAULT
    if len(text) > LIMIT:
        raise errors.BadRequest(f"the configuration has {len(text)} characters; at most {LIMIT} are read")
    said = _decoded(_loaded(text))
    problems = [*_problems(said)]
    if problems:
        raise errors.BadRequest(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
    profiles = said["profiles"]
    percentage = said.get("percentageOfNodesToScore", 0)
    return Configuration(
        tuple(_profile(each, percentage) for each in profiles),
        said["podInitialBackoffSeconds"] * SECOND,
        said["podMaxBackoffSeconds"] * SECOND,
    )


# --- from text to data --------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """Plain data only; a key that comes twice is an error, and so is an alias: they can grow without bounds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not read here")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.YAMLError(f'key "{name}" already set in map')
            seen.add(name)
        return super().construct_mapping(node, deep)


def _loaded(text: str) -> Manifest:
    try:
        found = yaml.load(text, _Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        first = " ".join(str(error).split())
        raise errors.BadRequest(f"error converting YAML to JSON: yaml: {first}") from error
    if not isinstance(found, dict):
        what = "json: cannot unmarshal"
        raise errors.BadRequest(f"couldn't get version/kind; json parse error: {what} into Go value of type struct")
    version, kind = found.get("apiVersion"), found.get("kind")
    if not kind:
        raise errors.BadRequest("Object 'Kind' is missing in the configuration")
    if not version:
        raise errors.BadRequest("Object 'apiVersion' is missing in the configuration")
    if version != VERSION:
        what = f'no kind "{kind}" is registered for version "{version}"'
        raise errors.BadRequest(f'{what} in scheme "{SCHEME}"')
    if kind != KIND:
        known = kind.removesuffix("Args") in ARGUMENTS if isinstance(kind, str) else False
        if known:
            raise errors.BadRequest(f"couldn't decode as {KIND}, got {kind}")
        raise errors.BadRequest(f'no kind "{kind}" is registered for version "{version}" in scheme "{SCHEME}"')
    return found


def _decoded(found: Manifest) -> Manifest:
    """With all defaults, and every plugin's arguments. Errors: BadRequest: a field too many, or of a wrong type."""
    unknown: list[str] = []
    try:
        said = decode(found, SHAPE, KIND, "", unknown)
        for at, profile in enumerate(said.get("profiles") or ()):
            for number, each in enumerate(profile.get("pluginConfig") or ()):
                where = f"decoding .profiles[{at}].pluginConfig[{number}]"
                each["args"] = _arguments(each.get("name", ""), each.get("args"), where, unknown)
    except ValueError as error:
        raise errors.BadRequest(str(error)) from error
    if unknown:
        raise errors.BadRequest(f"strict decoding error: {', '.join(unknown)}")
    profiles = said.get("profiles") or [{}]
    if len(profiles) == 1:
        profiles = [{"schedulerName": SCHEDULER_NAME, **profiles[0]}]
    first = said.get("podInitialBackoffSeconds", FIRST_BACKOFF // SECOND)
    last = said.get("podMaxBackoffSeconds", LAST_BACKOFF // SECOND)
    return {**said, "profiles": profiles, "podInitialBackoffSeconds": first, "podMaxBackoffSeconds": last}


def _arguments(name: str, args: Any, where: str, unknown: list[str]) -> Manifest:
    """A plugin's arguments, complete. Errors: ValueError."""
    known = ARGUMENTS.get(name)
    if args is None:
        args = {}
    if known is None:
        if args:
            raise ValueError(f"{where}: decoding args for plugin {name}: it takes none")
        return {}
    if not isinstance(args, dict):
        raise ValueError(f"{where}: decoding args for plugin {name}: they are no object")
    kind = f"{name}Args"
    said = {"apiVersion": VERSION, "kind": kind, **args}
    if (said["apiVersion"], said["kind"]) != (VERSION, kind):
        group = str(said["apiVersion"]).partition("/")[0]
        raise ValueError(f"{where}: args for plugin {name} were not of type {kind}.{GROUP}, got {said['kind']}.{group}")
    extra: list[str] = []
    shape = {"apiVersion": STRING, "kind": STRING, **known.shape}
    try:
        found = decode(said, shape, kind, "", extra)
    except ValueError as error:
        raise ValueError(f"{where}: decoding args for plugin {name}: {error}") from error
    if extra:
        text = f"strict decoding error: {', '.join(extra)}"
        unknown.append(f"{where}: strict decoding error: decoding args for plugin {name}: {text}")
    del found["apiVersion"], found["kind"]
    return known.complete(found)


# --- what is wrong with it ----------------------------------------------------------------------------------------


def _problems(said: Manifest) -> list[str]:
    found = [*_of_the_process(said)]
    profiles = said["profiles"]
    if len(profiles) > MOST_PROFILES:
        return [*found, f"profiles: Too many: {len(profiles)}: must have at most {MOST_PROFILES} items"]
    seen: dict[str, int] = {}
    for at, profile in enumerate(profiles):
        path, name = f"profiles[{at}]", profile.get("schedulerName", "")
        if not name:
            found.append(required(f"{path}.schedulerName"))
        found += _percentage(f"{path}.percentageOfNodesToScore", profile.get("percentageOfNodesToScore", 0))
        found += _of_arguments(path, profile)
        if name in seen:
            found.append(duplicate(f"{path}.schedulerName", f"profiles[{seen[name]}].schedulerName"))
        seen[name] = at
    found += _of_sorting(profiles)
    found += _percentage("percentageOfNodesToScore", said.get("percentageOfNodesToScore", 0))
    first, last = said["podInitialBackoffSeconds"], said["podMaxBackoffSeconds"]
    if first <= 0:
        found.append(invalid("podInitialBackoffSeconds", first, "must be greater than 0"))
    if last < first:
        why = "must be greater than or equal to PodInitialBackoffSeconds"
        found.append(invalid("podMaxBackoffSeconds", last, why))
    return found


def _of_the_process(said: Manifest) -> list[str]:
    found = []
    if said.get("parallelism", 16) <= 0:
        found.append(invalid("parallelism", said["parallelism"], "should be an integer value greater than zero"))
    for field, value in (said.get("leaderElection") or {}).items():
        if value != ELECTION[field]:
            found.append(invalid(f"leaderElection.{field}", value, f"Orrery knows {ELECTION[field]} only"))
    if said.get("extenders"):
        found.append("extenders: Forbidden: Orrery calls no programs outside; write a scheduler of your own instead")
    return found


def _percentage(path: str, value: int) -> list[str]:
    return [] if 0 <= value <= 100 else [invalid(path, value, "not in valid range [0-100]")]


def _of_arguments(path: str, profile: Manifest) -> list[str]:
    found: list[str] = []
    for point, chosen in (profile.get("plugins") or {}).items():
        if point != "multiPoint":
            for at, each in enumerate(chosen.get("enabled") or ()):
                if each.get("name") in REMOVED:
                    found.append(_removed(f"{path}.plugins.{point}.enabled[{at}]", each["name"]))
    seen: set[str] = set()
    for at, each in enumerate(profile.get("pluginConfig") or ()):
        where, name = f"{path}.pluginConfig[{at}]", each.get("name", "")
        if name in seen:
            found.append(duplicate(where, name))
        seen.add(name)
        if name in REMOVED:
            found.append(_removed(where, name))
        elif name in ARGUMENTS:
            found += ARGUMENTS[name].check(f"{where}.args", each["args"])
    return found


def _removed(path: str, name: str) -> str:
    return invalid(path, name, f'was invalid in version "{VERSION}" ({KIND} is version "{VERSION}")')


def _of_sorting(profiles: list[Manifest]) -> list[str]:
    """All profiles share one queue."""
    sets = [(profile.get("plugins") or {}).get("queueSort") or {} for profile in profiles]
    found = []
    if len(sets[0].get("enabled") or ()) > 1:
        path, why = "profiles[0].plugins.queueSort.Enabled", "only one queue sort plugin can be enabled"
        found.append(invalid(path, len(sets[0]["enabled"]), why))
    for at, chosen in enumerate(sets[1:], 1):
        if chosen != sets[0]:
            found.append(invalid(f"profiles[{at}].plugins.queueSort", "", "must be the same for all profiles"))
    return found


# --- which plugins are on -----------------------------------------------------------------------------------------


def _profile(said: Manifest, percentage: int) -> Said:
    """Errors: BadRequest: plugins that don't exist, or that don't go together."""
    name, plugins = said["schedulerName"], said.get("plugins") or {}
    multi = _merged(plugins.get("multiPoint") or {})
    points = {point: _at(point, plugins.get(point) or {}, multi) for point in POINTS}
    if len(points["queueSort"]) != 1:
        what = f'only one queue sort plugin required for profile with scheduler name "{name}"'
        raise errors.BadRequest(f"{what}, but got {len(points['queueSort'])}")
    if not points["bind"]:
        raise errors.BadRequest(f'at least one bind plugin is needed for profile with scheduler name "{name}"')
    if sum(weight for _, weight in points["score"]) * 100 > MOST_SCORE:
        raise errors.BadRequest("total score of Score plugins could overflow")
    for before, after in TWINS:
        _must_be_prepared(name, before, after, points)
    args = {each["name"]: each["args"] for each in said.get("pluginConfig") or ()}
    return Said(name, points, args, said.get("percentageOfNodesToScore", percentage))


def _merged(multi: Manifest) -> dict[str, int]:
    """multiPoint: the defaults, less those disabled, with other weights, and what is named besides."""
    disabled = {each.get("name", "") for each in multi.get("disabled") or ()}
    wanted = multi.get("enabled") or []
    weights = {each.get("name", ""): each.get("weight", 0) for each in wanted}
    found = {
        name: weights.get(name, weight)
        for name, weight in DEFAULT_PLUGINS.items()
        if name not in disabled and "*" not in disabled
    }
    named: set[str] = set()
    for each in wanted:
        name = each.get("name", "")
        _known("MultiPoint", name)
        if name in named:
            raise errors.BadRequest(f'plugin "{name}" already registered as "{_words(_first_point(name))}"')
        named.add(name)
        found.setdefault(name, each.get("weight", 0))
    found.pop(LEFT_OUT, None)
    return found


def _first_point(name: str) -> str:
    return next(point for point in POINTS if name == LEFT_OUT or point in PLUGINS[name].points)


def _at(point: str, chosen: Manifest, multi: Mapping[str, int]) -> list[tuple[str, int]]:
    """The plugins of one extension point, in order, with their weights."""
    disabled = {each.get("name", "") for each in chosen.get("disabled") or ()}
    named: dict[str, int] = {}
    for each in chosen.get("enabled") or ():
        name = each.get("name", "")
        _known(_words(point), name)
        if name == LEFT_OUT:
            continue
        if point not in PLUGINS[name].points:
            raise errors.BadRequest(f'plugin "{name}" does not extend {_words(point)} plugin')
        if name in named:
            raise errors.BadRequest(f'plugin "{name}" already registered as "{_words(point)}"')
        named[name] = each.get("weight", 0)
    general = {
        name: weight
        for name, weight in multi.items()
        if point in PLUGINS[name].points and name not in disabled and "*" not in disabled
    }
    order = [name for name in named if name in general]
    order += [name for name in general if name not in named]
    order += [name for name in named if name not in general]
    return [(name, named.get(name, general.get(name, 0)) or 1) for name in order]


def _known(point: str, name: str) -> None:
    if name not in PLUGINS and name != LEFT_OUT:
        raise errors.BadRequest(f'{point} "{name}" does not exist')


def _words(point: str) -> str:
    """The Go interface of an extension point."""
    return f"{point[0].upper()}{point[1:]}Plugin"


def _must_be_prepared(profile: str, before: str, after: str, points: Points) -> None:
    """Who acts must have prepared; the real one fails with every single pod otherwise."""
    prepared = {name for name, _ in points[before]}
    for name, _ in points[after]:
        if before in PLUGINS[name].points and name not in prepared:
            what = f'profile "{profile}": plugin "{name}" is enabled at {after} and not at {before}'
            raise errors.BadRequest(f"{what}, where it prepares what it needs")
