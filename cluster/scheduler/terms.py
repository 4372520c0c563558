"""Which pods does a term of affinity or spreading mean? Namespaces and labels, looked up once for each pod shape.

    labelSelector {matchLabels: {app: web}}, topologyKey zone     pods labelled app=web in this pod's own namespace
    namespaces, namespaceSelector                                 … or in these
    matchLabelKeys, mismatchLabelKeys                             … with the value that this pod has, or another one

Mirrors:  k8s.io/component-helpers/scheduling; kubernetes/pkg/scheduler/framework/types.go (AffinityTerm)
Read next: tallies.py, which counts the pods that a term means.
"""

from collections.abc import Callable
from typing import NamedTuple

from cluster.objects import Manifest, labels, meta
from cluster.objects.labels import EVERYTHING, Requirement, Selector
from cluster.objects.memo import IdentityMemo

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
NamespaceLabels = Callable[[str], dict[str, str]]

_memo = IdentityMemo(1024)


class Query(NamedTuple):
    """Pods in `namespaces`, or in those that `chosen` selects, whose labels `selector` selects. None: nothing does."""

    namespaces: frozenset[str]
    chosen: Selector | None
    selector: Selector | None

    def matches(self, namespace: str, found: dict[str, str], namespace_labels: NamespaceLabels) -> bool:
        if self.selector is None or not self.selector.matches(found):
            return False
        if namespace in self.namespaces:
            return True
        return self.chosen is not None and self.chosen.matches(namespace_labels(namespace))


class Term(NamedTuple):
    """A query, and the label of nodes that says what counts as one place. `weight`: of preferred terms."""

    query: Query
    topology: str
    weight: int = 0


class Terms(NamedTuple):
    """All that a pod says of other pods."""

    affinity: tuple[Term, ...] = ()
    anti: tuple[Term, ...] = ()
    liked: tuple[Term, ...] = ()
    disliked: tuple[Term, ...] = ()


NO_TERMS = Terms()


def terms_of(pod: Manifest) -> Terms:
    """What the pod's podAffinity and podAntiAffinity say, resolved."""
    affinity = pod["spec"].get("affinity")
    if not affinity or not (affinity.get("podAffinity") or affinity.get("podAntiAffinity")):
        return NO_TERMS
    own = tuple(sorted(meta.labels(pod).items()))
    found: Terms = _memo.get(affinity, (meta.namespace(pod), own), lambda said: _resolved(said, pod))
    return found


def _resolved(affinity: Manifest, pod: Manifest) -> Terms:
    near, far = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
    return Terms(
        tuple(_term(term, pod) for term in near.get(REQUIRED) or ()),
        tuple(_term(term, pod) for term in far.get(REQUIRED) or ()),
        tuple(_term(each["podAffinityTerm"], pod, each["weight"]) for each in near.get(PREFERRED) or ()),
        tuple(_term(each["podAffinityTerm"], pod, each["weight"]) for each in far.get(PREFERRED) or ()),
    )


def _term(term: Manifest, pod: Manifest, weight: int = 0) -> Term:
    named, chosen = term.get("namespaces") or [], term.get("namespaceSelector")
    if not named and chosen is None:
        named = [meta.namespace(pod)]
    query = Query(frozenset(named), labels.of(chosen) if chosen is not None else None, selector_of(term, pod))
    return Term(query, term["topologyKey"], weight)


def selector_of(term: Manifest, pod: Manifest) -> Selector | None:
    """The labelSelector of a term or a constraint, with what matchLabelKeys add. None selects nothing."""
    said = term.get("labelSelector")
    if said is None:
        return None
    own, more = meta.labels(pod), []
    for field, operator in (("matchLabelKeys", "in"), ("mismatchLabelKeys", "notin")):
        more += [Requirement(key, operator, (own[key],)) for key in term.get(field) or () if key in own]
    compiled = labels.of(said) or EVERYTHING
    missing = [requirement for requirement in more if requirement not in compiled.requirements]
    return Selector((*compiled.requirements, *missing)) if missing else compiled
