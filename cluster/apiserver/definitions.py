"""What happens to a CustomResourceDefinition: its names are accepted, it is established, and at last it is emptied.

    NamesAccepted   no other definition of the group uses its names (else PluralConflict, KindConflict …)
    Established     its objects are served, from now on for good
    Terminating     it is being deleted: first all of its objects, then the finalizer, then itself

Mirrors:  k8s.io/apiextensions-apiserver/pkg/controller (status, establish, finalizer, apiapproval)
Left out: the condition NonStructuralSchema, which no definition of v1 can have.
Read next: registry/custom/ for the kinds that come of it.
"""

from cluster.apiserver.kinds import DEFINITIONS
from cluster.apiserver.registry.apiextensions import CLEANUP
from cluster.apiserver.registry.custom.definition import APPROVAL, MISSING_APPROVAL, is_protected
from cluster.engine.clock import SECOND
from cluster.engine.controller import Component
from cluster.objects import Manifest, conditions, errors, meta

AGAIN = 5 * SECOND  # Between looks at objects that stay.
BATCH = 500  # Objects deleted in one step.
NAME_PARTS = ("plural", "singular", "shortNames", "kind", "listKind", "categories")


class Definitions(Component):
    """Queue keys: names of definitions."""

    name = "apiextensions-apiserver"
    user = "system:apiserver"
    reaction = 50_000

    def watch(self) -> None:
        self.informers.subscribe(DEFINITIONS, self._changed, self.name)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None:
            self.queue.add(meta.name(new))
            return
        if old is not None:  # Others may have waited for its names.
            for other in self._siblings(old):
                self.queue.add(meta.name(other))

    def _siblings(self, definition: Manifest) -> list[Manifest]:
        group, name = definition["spec"]["group"], meta.name(definition)
        found = self.informers.list(DEFINITIONS)
        return [other for other in found if other["spec"]["group"] == group and meta.name(other) != name]

    def process(self, key: str) -> None:
        definition = self.informers.by_key(DEFINITIONS, key)
        if definition is None:
            return
        if meta.is_deleting(definition):
            self._empty(definition)
            return
        status = self._named(definition)
        if status == definition.get("status") and _may_be_established(status):
            status = self._with(status, "Established", "True", "InitialNamesAccepted", ESTABLISHED)
        self._report(definition, status)

    def _report(self, definition: Manifest, status: Manifest) -> Manifest:
        return self.client.update_status({**definition, "status": status})

    def _with(self, status: Manifest, type_: str, value: str, reason: str, message: str) -> Manifest:
        """`status` with that condition; the time of an unchanged one stays."""
        known = conditions.get({"status": status}, type_)
        now = self.clock.stamp()
        since = now
        if known is not None and known.get("status") == value:
            since = known.get("lastTransitionTime") or now
        condition = {"type": type_, "status": value, "lastTransitionTime": since, "reason": reason, "message": message}
        return {**status, "conditions": conditions.put(status.get("conditions") or [], condition)}

    # --- names --------------------------------------------------------------------------------------------------

    def _named(self, definition: Manifest) -> Manifest:
        """The status with the names that are free, or a condition that says which is not."""
        status = definition.get("status") or {}
        accepted, problem = self._accept(definition)
        status = {**status, "acceptedNames": accepted}
        status = self._with(status, "NamesAccepted", "False" if problem else "True", *(problem or NO_CONFLICTS))
        if not conditions.is_true({"status": status}, "Established"):
            reason = ("NotAccepted", "not all names are accepted") if problem else ("Installing", ESTABLISHED)
            if not problem or conditions.get({"status": status}, "Established") is None:
                status = self._with(status, "Established", "False", *reason)
        if is_protected(definition["spec"]["group"]):
            status = self._with(status, "KubernetesAPIApprovalPolicyConformant", *_approval(definition))
        return status

    def _accept(self, definition: Manifest) -> tuple[Manifest, tuple[str, str] | None]:
        """(accepted names, (reason, message) of the last conflict)."""
        asked, had = definition["spec"]["names"], (definition.get("status") or {}).get("acceptedNames") or {}
        resources, kinds = set(), set()
        for other in self._siblings(definition):
            taken = (other.get("status") or {}).get("acceptedNames") or {}
            resources |= {taken.get("plural"), taken.get("singular"), *(taken.get("shortNames") or ())}
            kinds |= {taken.get("kind"), taken.get("listKind")}
        accepted, problem = dict(had), None
        for part in ("plural", "singular", "shortNames", "kind", "listKind"):
            wanted, used = asked.get(part), kinds if part in ("kind", "listKind") else resources
            listed = wanted if isinstance(wanted, list) else [wanted] if wanted else []
            fresh = [each for each in listed if wanted != had.get(part) and each in used]
            if fresh:
                messages = [f'"{each}" is already in use' for each in fresh]
                text = messages[0] if len(messages) == 1 else f"[{', '.join(messages)}]"
                problem = (f"{part[0].upper()}{part[1:]}Conflict", text)
            elif wanted:
                accepted[part] = wanted
            else:
                accepted.pop(part, None)
        if asked.get("categories"):
            accepted["categories"] = asked["categories"]
        else:
            accepted.pop("categories", None)
        return {part: accepted[part] for part in NAME_PARTS if part in accepted}, problem

    # --- the end ------------------------------------------------------------------------------------------------

    def _empty(self, definition: Manifest) -> None:
        """Delete its objects; when none is left let the definition go."""
        if CLEANUP not in (definition["metadata"].get("finalizers") or ()):
            return
        status, cache = definition["status"], meta.name(definition)
        if not conditions.is_true(definition, "Established"):
            self._release(definition, ("NeverEstablished", "resource was never established"))
            return
        busy = ("InstanceDeletionInProgress", "CustomResource deletion is in progress")
        definition = self._report(definition, self._with(status, "Terminating", "True", *busy))
        living = [obj for obj in self.informers.list(cache) if not meta.is_deleting(obj)]
        for obj in living[:BATCH]:
            try:
                self.client.delete(cache, meta.namespace(obj), meta.name(obj))
            except (errors.NotFound, errors.PathNotFound):
                continue
        if len(living) > BATCH:
            self.queue.add(cache)
        elif self.informers.list(cache):
            self.queue.add_after(cache, AGAIN, f"the objects of {cache} are looked at again")
        else:
            self._release(definition, ("InstanceDeletionCompleted", "removed all instances"))

    def _release(self, definition: Manifest, reason: tuple[str, str]) -> None:
        done = self._report(definition, self._with(definition["status"], "Terminating", "False", *reason))
        rest = [each for each in done["metadata"]["finalizers"] if each != CLEANUP]
        self.client.patch(DEFINITIONS, "", meta.name(done), {"metadata": {"finalizers": rest or None}})


ESTABLISHED = "the initial names have been accepted"
NO_CONFLICTS = ("NoConflicts", "no conflicts found")


def _may_be_established(status: Manifest) -> bool:
    around = {"status": status}
    return conditions.is_true(around, "NamesAccepted") and not conditions.is_true(around, "Established")


def _approval(definition: Manifest) -> tuple[str, str, str]:
    """(status, reason, message) of a definition in a group that belongs to Kubernetes."""
    given = (definition["metadata"].get("annotations") or {}).get(APPROVAL, "")
    if not given:
        return "False", "MissingAnnotation", MISSING_APPROVAL
    if given.startswith("unapproved"):
        return "False", "UnapprovedAnnotation", f'not approved: "{given}"'
    return "True", "ApprovedAnnotation", f"approved in {given}"
