"""FlowSchemas and PriorityLevelConfigurations of a new cluster, and what the API server says of every FlowSchema.

Mirrors:  kubernetes/pkg/registry/flowcontrol/rest, k8s.io/apiserver/pkg/util/flowcontrol/apf_controller.go
Left out: queueing itself; suggested objects that somebody deletes stay away (the two fixed ones of each kind do not).
"""

from cluster.apiserver.registry import flowcontrol_fixed as fixed
from cluster.engine.clock import MINUTE
from cluster.engine.controller import Component
from cluster.objects import Manifest, errors, meta

SCHEMA, LEVEL = "FlowSchema", "PriorityLevelConfiguration"


def objects() -> list[Manifest]:
    """Levels first, so that no schema is ever without its level."""
    levels = {**fixed.LEVELS, **fixed.SUGGESTED_LEVELS}
    schemas = {**fixed.SCHEMAS, **fixed.SUGGESTED_SCHEMAS}
    return [_object(LEVEL, *item) for item in levels.items()] + [_object(SCHEMA, *item) for item in schemas.items()]


def _object(kind: str, name: str, spec: Manifest) -> Manifest:
    return {
        "kind": kind,
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "metadata": {"name": name, "annotations": fixed.ANNOTATIONS},
        "spec": spec,
    }


class FlowControl(Component):
    """Queue keys: names of FlowSchemas whose level is looked for; `level/NAME` and `fixed` are whole rounds."""

    name = "api-priority-and-fairness"
    user = "system:apiserver"

    def watch(self) -> None:
        self.informers.subscribe(SCHEMA, self._schema_changed, self.name)
        self.informers.subscribe(LEVEL, self._level_changed, self.name)

    def _schema_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None:
            self.queue.add(f"schema/{meta.name(new)}")
        elif old is not None and meta.name(old) in fixed.SCHEMAS:
            self.queue.add_after("fixed", MINUTE)

    def _level_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if old is not None and new is not None:
            return  # It is there as before.
        name = meta.name(new or old or {})
        if self.informers.list(SCHEMA):
            self.queue.add(f"level/{name}")
        if new is None and name in fixed.LEVELS:
            self.queue.add_after("fixed", MINUTE)

    def process(self, key: str) -> None:
        what, _, name = key.partition("/")
        if what == "fixed":
            self._bring_back()
        elif what == "level":
            for each in self.informers.list(SCHEMA):
                if _level_of(each) == name:
                    self._judge(each)
        else:
            schema = self.informers.by_key(SCHEMA, name)
            if schema is not None:
                self._judge(schema)

    def _bring_back(self) -> None:
        for kind, specs in ((LEVEL, fixed.LEVELS), (SCHEMA, fixed.SCHEMAS)):
            for name, spec in specs.items():
                if self.informers.by_key(kind, name) is None:
                    try:
                        self.client.create(_object(kind, name, spec))
                    except errors.AlreadyExists:
                        continue

    def _judge(self, schema: Manifest) -> None:
        """The condition Dangling: does the schema name a level that is not there?"""
        level = _level_of(schema)
        there = self.informers.by_key(LEVEL, level) is not None
        status, reason = ("False", "Found") if there else ("True", "NotFound")
        how = "and it exists" if there else "but there is no such object"
        message = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}" {how}'
        conditions = (schema.get("status") or {}).get("conditions") or []
        before: Manifest = next((c for c in conditions if c.get("type") == "Dangling"), {})
        if (before.get("status"), before.get("message")) == (status, message):
            return
        since = before["lastTransitionTime"] if before.get("status") == status else self.clock.stamp()
        condition = {"type": "Dangling", "status": status, "lastTransitionTime": since, "reason": reason}
        others = [c for c in conditions if c.get("type") != "Dangling"]
        self.client.update_status({**schema, "status": {"conditions": [*others, {**condition, "message": message}]}})


def _level_of(schema: Manifest) -> str:
    return str(((schema.get("spec") or {}).get("priorityLevelConfiguration") or {}).get("name", ""))
