"""Ownership of fields under random sequences of applies and updates, against a model that is a dict of dicts.

The model knows nothing of trees: a *claim* is one leaf of a Deployment, of every kind that the types know (a key of a
map, a number, an element of a set, fields of elements with one key and with two, a list that is one value). The real
requests say the same in YAML's form, and both must agree on values, owners, conflicts and on what disappears.
"""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.objects import Manifest
from tests.cluster.apiserver.replay import Api

DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
PATH = f"{DEPLOYMENTS}/app"
APPLY, MERGE = "apply-patch+yaml", "merge-patch+json"

# claim: (the field as a conflict shows it, its values)
CONTAINER = '.spec.template.spec.containers[name="c0"]'
CLAIMS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "label-a": (".metadata.labels.a", ("1", "2")),
    "label-b": (".metadata.labels.b", ("1", "2")),
    "replicas": (".spec.replicas", (2, 3)),
    "finalizer-x": ('.metadata.finalizers[="example.com/x"]', (True,)),
    "finalizer-y": ('.metadata.finalizers[="example.com/y"]', (True,)),
    "env-A": (f'{CONTAINER}.env[name="A"].value', ("1", "2")),
    "env-B": (f'{CONTAINER}.env[name="B"].value', ("1", "2")),
    "port-80": (f'{CONTAINER}.ports[containerPort=80,protocol="TCP"].name', ("p80", "q80")),
    "port-81": (f'{CONTAINER}.ports[containerPort=81,protocol="UDP"].name', ("p81", "q81")),
    "args": (f"{CONTAINER}.args", (("x",), ("x", "y"))),
}
# Who says a field of an element says the element, too. It has no value that could differ, so it is never a conflict,
# and whoever lost the field to another keeps it: the element outlives its value.
ELEMENTS = {
    "env-A": f'{CONTAINER}.env[name="A"]',
    "env-B": f'{CONTAINER}.env[name="B"]',
    "port-80": f'{CONTAINER}.ports[containerPort=80,protocol="TCP"]',
    "port-81": f'{CONTAINER}.ports[containerPort=81,protocol="UDP"]',
}
FIELDS = {field: claim for claim, (field, _) in CLAIMS.items()}
FIELDS |= {field: f"element-{claim}" for claim, field in ELEMENTS.items()}
UPDATABLE = ("label-a", "label-b", "replicas")
DEFAULTS = {"replicas": 1}

Claims = dict[str, Any]
Owner = tuple[str, str]  # Name and operation.


def manifest(claims: Claims) -> Manifest:
    """The configuration that says exactly these claims."""
    container: Manifest = {"name": "c0"}
    for name in ("A", "B"):
        if f"env-{name}" in claims:
            container.setdefault("env", []).append({"name": name, "value": claims[f"env-{name}"]})
    if "port-80" in claims:  # Its protocol is not said: the key has the default.
        container.setdefault("ports", []).append({"containerPort": 80, "name": claims["port-80"]})
    if "port-81" in claims:
        port = {"containerPort": 81, "protocol": "UDP", "name": claims["port-81"]}
        container.setdefault("ports", []).append(port)
    if "args" in claims:
        container["args"] = list(claims["args"])
    metadata: Manifest = {"name": "app"}
    labels = {name[-1]: value for name, value in claims.items() if name.startswith("label-")}
    finalizers = [f"example.com/{name[-1]}" for name in claims if name.startswith("finalizer-")]
    metadata.update({k: v for k, v in (("labels", labels), ("finalizers", finalizers)) if v})
    spec: Manifest = {"replicas": claims["replicas"]} if "replicas" in claims else {}
    if len(container) > 1:
        spec["template"] = {"spec": {"containers": [container]}}
    made: Manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
    return {**made, "spec": spec} if spec else made


def said(obj: Manifest) -> Claims:
    """The claims that an object fulfils."""
    container = obj["spec"]["template"]["spec"]["containers"][0]
    found: Claims = {f"label-{k}": v for k, v in obj["metadata"].get("labels", {}).items() if k in "ab"}
    found |= {f"finalizer-{each[-1]}": True for each in obj["metadata"].get("finalizers", [])}
    listed = [(f"env-{each['name']}", each.get("value")) for each in container.get("env", [])]
    listed += [(f"port-{each['containerPort']}", each.get("name")) for each in container.get("ports", [])]
    found |= {f"element-{claim}": True for claim, _ in listed}
    found |= {claim: value for claim, value in listed if value is not None}
    if "args" in container:
        found["args"] = tuple(container["args"])
    return {**found, "replicas": obj["spec"]["replicas"]}


def shown(tree: Manifest, prefix: str = "") -> set[str]:
    """Members of a FieldsV1 in the form of conflicts: written here anew, not with the code under test."""
    found = set()
    for step, below in tree.items():
        if step == ".":
            found.add(prefix)
            continue
        kind, text = step.split(":", 1)
        if kind == "f":
            path = f"{prefix}.{text}"
        elif kind == "v":
            path = f"{prefix}[={text}]"
        else:
            pairs = json.loads(text).items()
            path = f"{prefix}[" + ",".join(f"{name}={json.dumps(value)}" for name, value in pairs) + "]"
        found |= shown(below, path) if below else {path}
    return found


class Model:
    """Who owns which claim, by the rules in a dozen lines."""

    def __init__(self) -> None:
        self.values: Claims = dict(DEFAULTS)
        self.owned: dict[Owner, set[str]] = {}

    def conflicts(self, owner: Owner, claims: Claims) -> set[tuple[str, str]]:
        return {
            (other[0], claim)
            for other, theirs in self.owned.items()
            for claim, value in claims.items()
            if other != owner and claim in theirs and self.values[claim] != value
        }

    def apply(self, owner: Owner, claims: Claims) -> None:
        claims = {**claims, **{f"element-{claim}": True for claim in claims if claim in ELEMENTS}}
        for name, claim in self.conflicts(owner, claims):
            for other in [o for o in self.owned if o[0] == name and o != owner]:
                self.owned[other].discard(claim)
        given_up = self.owned.get(owner, set()) - set(claims)
        self.owned[owner] = set(claims)
        self.values.update(claims)
        for claim in given_up:
            if not any(claim in theirs for theirs in self.owned.values()):
                self._remove(claim)

    def update(self, owner: Owner, claim: str, value: Any) -> None:
        if self.values.get(claim) == value:
            return
        for theirs in self.owned.values():
            theirs.discard(claim)
        if value is None:
            self._remove(claim)
        else:
            self.values[claim] = value
            self.owned.setdefault(owner, set()).add(claim)

    def _remove(self, claim: str) -> None:
        self.values.pop(claim, None)
        if claim in DEFAULTS:
            self.values[claim] = DEFAULTS[claim]


NAMES = st.sampled_from(("alpha", "beta", "gamma"))
SAID = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, (_, values) in CLAIMS.items()})
APPLIES = st.tuples(st.just("apply"), NAMES, SAID, st.booleans())
CHANGES = st.sampled_from(UPDATABLE).flatmap(
    lambda claim: st.tuples(st.just(claim), st.sampled_from(CLAIMS[claim][1]))
) | st.tuples(st.sampled_from(("label-a", "label-b")), st.none())
UPDATES = st.tuples(st.just("update"), NAMES, CHANGES).map(lambda step: (*step[:2], *step[2]))
STEPS = st.lists(st.one_of(APPLIES, APPLIES, UPDATES), min_size=1, max_size=10)


def an_api() -> Api:
    """An app whose first container belongs to `base` for good.

    So does one label: whoever wrote the first one by an update owns `labels` itself, also when nothing is left in it,
    and then the next label of anybody is a conflict. The real server has this trap as well; the model has not.
    """
    api = Api().with_namespace("shop")
    pod = {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "c0", "image": "nginx:1.27"}]}}
    spec = {"selector": {"matchLabels": {"app": "app"}}, "template": pod}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app", "labels": {"base": "1"}}}
    body["spec"] = spec
    status, answer = api.ask("PATCH", f"{PATH}?fieldManager=base", body, f"application/{APPLY}")
    assert status == 201, answer
    return api


def sent(api: Api, name: str, claims: Claims, force: bool) -> tuple[int, Manifest]:
    query = f"?fieldManager={name}" + ("&force=true" if force else "")
    return api.ask("PATCH", PATH + query, manifest(claims), f"application/{APPLY}")


def updated(api: Api, name: str, claim: str, value: Any) -> tuple[int, Manifest]:
    if claim == "replicas":
        patch: Manifest = {"spec": {"replicas": value}}
    else:
        patch = {"metadata": {"labels": {claim[-1]: value}}}
    return api.ask("PATCH", f"{PATH}?fieldManager={name}", patch, f"application/{MERGE}")


def owners(obj: Manifest) -> dict[Owner, set[str]]:
    found: dict[Owner, set[str]] = {}
    for entry in obj["metadata"]["managedFields"]:
        claims = {FIELDS[field] for field in shown(entry["fieldsV1"]) if field in FIELDS}
        found.setdefault((entry["manager"], entry["operation"]), set()).update(claims)
    return found


def without_empty(owned: dict[Owner, set[str]]) -> dict[Owner, set[str]]:
    return {owner: claims for owner, claims in owned.items() if claims}


def stored(api: Api) -> Manifest:
    return api.read("Deployment", "shop", "app") or {}


def played(api: Api, model: Model, step: tuple[Any, ...]) -> None:
    """One step on both sides; they must agree on everything that can be seen."""
    what, name, *rest = step
    before, revision = stored(api), api.store.revision
    if what == "update":
        claim, value = rest
        status, answer = updated(api, name, claim, value)
        model.update((name, "Update"), claim, value)
    else:
        claims, force = rest
        expected = model.conflicts((name, "Apply"), claims)
        status, answer = sent(api, name, claims, force)
        if expected and not force:
            assert status == 409, answer
            causes = {(c["message"].split('"')[1], c["field"]) for c in answer["details"]["causes"]}
            assert causes == {(other, CLAIMS[claim][0]) for other, claim in expected}
            assert stored(api) is before
            assert api.store.revision == revision
            return
        model.apply((name, "Apply"), claims)
    assert status == 200, answer
    assert said(answer) == model.values
    assert without_empty(owners(answer)) == without_empty(model.owned)


@given(STEPS)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_applies_and_updates_of_several_managers_go_by_the_rules_of_ownership(steps: list[tuple[Any, ...]]):
    api, model = an_api(), Model()
    for step in steps:
        played(api, model, step)


@given(STEPS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_whatever_is_owned_is_there(steps: list[tuple[Any, ...]]):
    api = an_api()
    for what, name, *rest in steps:
        if what == "apply":
            sent(api, name, *rest)
        else:
            updated(api, name, *rest)

        obj = stored(api)
        for entry in obj["metadata"]["managedFields"]:
            missing = [path for path in members(entry["fieldsV1"]) if not is_there(obj, path)]
            assert missing == [], entry["manager"]


def members(tree: Manifest, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for step, below in tree.items():
        found += [prefix] if step == "." else members(below, (*prefix, step)) if below else [(*prefix, step)]
    return found


def is_there(value: Any, path: tuple[str, ...]) -> bool:
    for step in path:
        kind, text = step.split(":", 1)
        if kind == "f":
            if not isinstance(value, dict) or text not in value:
                return False
            value = value[text]
        elif kind == "v":
            return json.loads(text) in value
        else:
            keys = json.loads(text).items()
            value = next((item for item in value if all(item.get(k) == v for k, v in keys)), None)
            if value is None:
                return False
    return True


@given(STEPS, NAMES, SAID)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_same_apply_again_writes_nothing(steps: list[tuple[Any, ...]], name: str, claims: Claims):
    api, model = an_api(), Model()
    for step in steps:
        played(api, model, step)
    _, first = sent(api, name, claims, True)
    api.server.clock.advance(api.server.clock.now + 60_000_000)  # A later second: only a time could change.
    revision = api.store.revision

    status, second = sent(api, name, claims, True)

    assert (status, second) == (200, first)
    assert api.store.revision == revision


@given(STEPS, NAMES, SAID)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_dry_run_says_what_would_be_and_leaves_everything(steps: list[tuple[Any, ...]], name: str, claims: Claims):
    api, model = an_api(), Model()
    for step in steps:
        played(api, model, step)
    before, revision = stored(api), api.store.revision

    query = f"?fieldManager={name}&force=true&dryRun=All"
    status, answer = api.ask("PATCH", PATH + query, manifest(claims), f"application/{APPLY}")

    assert status == 200, answer
    model.apply((name, "Apply"), claims)
    assert said(answer) == model.values
    assert stored(api) is before
    assert api.store.revision == revision


@given(STEPS)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_an_apply_of_nothing_leaves_nothing_of_its_manager(steps: list[tuple[Any, ...]]):
    api, model = an_api(), Model()
    for step in steps:
        played(api, model, step)
    for name in ("alpha", "beta", "gamma"):
        played(api, model, ("apply", name, {}, True))

    entries = stored(api)["metadata"]["managedFields"]
    assert [e["manager"] for e in entries if e["operation"] == "Apply"] == ["base"]
