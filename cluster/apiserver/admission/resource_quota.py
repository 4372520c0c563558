"""ResourceQuota: a namespace may use so much and no more; what is let in is charged at once.

The last of all plugins, since what it charges must then be stored. All happens in one step of the world, so two
requests can't both take the last pod, which the real server needs compare-and-swap and retries for. As there, a charge
whose object etcd refuses in the end (it exists already) stays until the quota controller counts anew.

Mirrors:  k8s.io/apiserver/pkg/admission/plugin/resourcequota (controller.go: CheckRequest)
Left out: a configuration of resources that need a quota to be used at all (limitedResources).
Read next: cluster/objects/quotas.py for what an object uses; cluster/controllers/resourcequota.py for the count.
"""

from typing import Any

from cluster.apiserver import registry
from cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest, amounts, errors, meta, quotas
from cluster.objects.amounts import Amounts

ACTOR = "kube-apiserver"  # Whose write the charge is.


def check(server: Any, attributes: Attributes) -> None:
    """Charge every quota that the object falls under. Errors: Forbidden, and then nothing is charged."""
    found = server.informers.list("ResourceQuota", attributes.namespace) if attributes.namespace else ()
    resource = errors.qualified(attributes.resource.group, attributes.resource.plural)
    if not found or not quotas.is_charged(resource, attributes.operation, attributes.subresource):
        return
    interesting = [quota for quota in found if _applies(quota, resource, attributes)]
    charge = _charge(server, resource, attributes) if interesting else {}
    charged = [(quota, _charged(quota, charge, attributes)) for quota in interesting] if charge else []
    if not attributes.dry_run:
        for quota, used in charged:
            _store(server, quota, used)


def _applies(quota: Manifest, resource: str, attributes: Attributes) -> bool:
    """Does the quota limit what such an object uses? Errors: Forbidden, if the object does not say how much that is."""
    status, name = quota.get("status") or {}, meta.name(quota)
    restricted = quotas.measured(resource, status.get("hard") or {})
    if not restricted or not quotas.matches(quota, resource, attributes.obj):
        return False
    if resource == quotas.PODS and (silent := quotas.missing(attributes.obj, restricted)):
        listed = "; ".join(f"{what} for: {','.join(containers)}" for what, containers in silent.items())
        raise _forbidden(attributes, f"failed quota: {name}: must specify {listed}")
    if any(what not in (status.get("used") or {}) for what in restricted):
        raise _forbidden(attributes, f"status unknown for quota: {name}, resources: {','.join(sorted(restricted))}")
    return True


def _charge(server: Any, resource: str, attributes: Attributes) -> Amounts:
    """What the request adds to what is used; a change adds the difference."""
    now = server.clock.unix()
    usage = quotas.usage(resource, attributes.obj, now)
    if negative := sorted(name for name, amount in usage.items() if amount.nano < 0):
        raise _forbidden(attributes, f"quota usage is negative for resource(s): {','.join(negative)}")
    if attributes.operation == UPDATE and attributes.old is not None:
        usage = amounts.minus(usage, quotas.usage(resource, attributes.old, now))
    return {name: amount for name, amount in usage.items() if amount.nano}


def _charged(quota: Manifest, charge: Amounts, attributes: Attributes) -> Amounts:
    """What is used with the charge. Errors: Forbidden, if that is more than there may be."""
    hard, used = amounts.parse(quota["status"]["hard"]), amounts.parse(quota["status"].get("used"))
    requested = amounts.only(charge, hard)
    total = amounts.plus(used, requested)
    if exceeded := [name for name in requested if total[name].nano > hard[name].nano]:
        asked, has, most = (amounts.shown(amounts.only(part, exceeded)) for part in (requested, used, hard))
        name = meta.name(quota)
        raise _forbidden(attributes, f"exceeded quota: {name}, requested: {asked}, used: {has}, limited: {most}")
    return total


def _store(server: Any, quota: Manifest, used: Amounts) -> None:
    written = amounts.text(used)
    if written == quota["status"].get("used"):
        return
    agenda = server.storage.agenda
    before, agenda.actor = agenda.actor, ACTOR
    try:
        new = {**quota, "metadata": {**quota["metadata"]}, "status": {**quota["status"], "used": written}}
        server.storage.put(registry.by_kind("ResourceQuota"), quota, new)
    finally:
        agenda.actor = before


def _forbidden(attributes: Attributes, message: str) -> errors.ApiError:
    return errors.Forbidden(attributes.resource.group, attributes.resource.plural, attributes.name, message)


PLUGINS = (
    Plugin("ResourceQuota", validate=check, operations=(CREATE,)),
    Plugin("ResourceQuota", validate=check, kinds=("Service", "PersistentVolumeClaim"), operations=(UPDATE,)),
    Plugin("ResourceQuota", validate=check, kinds=("Pod",), operations=(UPDATE,), subresources=("resize",)),
)
