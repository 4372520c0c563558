"""The core group's older workloads: ReplicationControllers, and PodTemplates that nobody uses.

Mirrors:  kubernetes/pkg/registry/core/{replicationcontroller,podtemplate}/strategy.go, pkg/apis/core/validation
"""

from cluster.apiserver.registry.metadata import label_problems, raw_invalid, required
from cluster.apiserver.registry.resource import SCALE, Problem, Resource, Subresource
from cluster.apiserver.registry.selectors import shown
from cluster.apiserver.registry.templates import (
    MISMATCH,
    at_least_zero,
    completed,
    labels_of,
    runs_forever,
    template_problems,
    with_template,
)
from cluster.objects import Manifest


def _default_controller(controller: Manifest) -> Manifest:
    """A selector and labels that are left out are those of the template."""
    done = with_template(controller, replicas=1)
    chosen = labels_of((done.get("spec") or {}).get("template"))
    if chosen and not done["spec"].get("selector"):
        done = {**done, "spec": {**done["spec"], "selector": chosen}}
    if chosen and not done["metadata"].get("labels"):
        done = {**done, "metadata": {**done["metadata"], "labels": chosen}}
    return done


def _new_controller(controller: Manifest) -> Manifest:
    return {**controller, "status": {"replicas": 0}}


def _validate_controller(controller: Manifest) -> list[Problem]:
    spec = controller.get("spec") or {}
    selector, template = spec.get("selector") or {}, spec.get("template")
    found = at_least_zero(spec, "minReadySeconds")
    if not selector:
        found.append(required("spec.selector"))
    found += at_least_zero(spec, "replicas")
    found += label_problems(selector, "spec.selector")
    if template is None:
        return [*found, required("spec.template")]
    if any(labels_of(template).get(key) != value for key, value in selector.items()):
        given = (template.get("metadata") or {}).get("labels")
        found.append(raw_invalid("spec.template.metadata.labels", shown(given), MISMATCH))
    found += template_problems(template)
    return [*found, *runs_forever(template, "ReplicationController")]


CONTROLLER = Resource(
    "", "v1", "ReplicationController", "replicationcontrollers", short_names=("rc",), categories=("all",),
    generation=True, has_status=True, storage="controllers", orphans=True, selectable=("status.replicas",),
    subresources={**SCALE, "status": Subresource("ReplicationController")},
    default=_default_controller, on_create=_new_controller, validate=_validate_controller,
)  # fmt: skip


def _default_template(obj: Manifest) -> Manifest:
    template = completed(obj.get("template") or {})
    return obj if template is obj.get("template") or not template else {**obj, "template": template}


def _validate_template(obj: Manifest) -> list[Problem]:
    return template_problems(obj.get("template") or {}, "template")


TEMPLATE = Resource(
    "", "v1", "PodTemplate", "podtemplates", generation=True, spec_fields=("template",),
    returns_deleted=True, default=_default_template, validate=_validate_template,
)  # fmt: skip

RESOURCES = (CONTROLLER, TEMPLATE)
