"""ResourceQuota controller: what a namespace really uses, counted anew.

Admission charges a quota when something is let in; nobody tells it when something goes. So this controller counts:
when a quota's limits change, when an object goes, when a pod ends or a Service changes its type, and every five minutes
whatever happened. Until it counted, a new quota limits nothing.

Mirrors:  kubernetes/pkg/controller/resourcequota (resource_quota_controller.go, resource_quota_monitor.go)
Left out: a queue of its own for quotas that were never counted.
Read next: cluster/apiserver/admission/resource_quota.py, which charges.
"""

from cluster.engine.clock import MINUTE
from cluster.engine.controller import Controller
from cluster.objects import Manifest, amounts, meta, quotas
from cluster.objects.amounts import NONE, Amounts

RESYNC = 5 * MINUTE
UNCOUNTED = ("events", "events.events.k8s.io")  # They come and go too fast.


class ResourceQuotaController(Controller):
    """Queue keys: `<namespace>/<quota>`."""

    name = "resourcequota-controller"
    user = "system:serviceaccount:kube-system:resourcequota-controller"
    kind = "ResourceQuota"

    def watch(self) -> None:
        super().watch()
        for resource, cache in self.client.caches().items():
            if "." not in cache and resource not in UNCOUNTED:
                self._follow(cache, resource)
        self.informers.on_custom(lambda cache: self._follow(cache, cache), self.name)

    def _follow(self, cache: str, resource: str) -> None:
        self.informers.subscribe(cache, lambda old, new: self._used_less(resource, old, new), self.name)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and (old is None or old.get("spec") != new.get("spec")):
            self.queue.add(meta.key(new))

    def _used_less(self, resource: str, old: Manifest | None, new: Manifest | None) -> None:
        """Something went, or uses another amount now: quotas that count such things count anew."""
        if old is None or (new is not None and resource not in _CHANGES):
            return
        namespace = old["metadata"].get("namespace", "")
        found = self.informers.list("ResourceQuota", namespace)
        if not found or (new is not None and not self._uses_otherwise(resource, old, new)):
            return
        for quota in found:
            if quotas.measured(resource, (quota.get("status") or {}).get("hard") or {}):
                self.queue.add(meta.key(quota))

    def _uses_otherwise(self, resource: str, old: Manifest, new: Manifest) -> bool:
        now = self.clock.unix()
        if resource == quotas.PODS and old.get("spec") is new.get("spec"):
            return quotas.is_counted(old, now) and not quotas.is_counted(new, now)
        return quotas.usage(resource, old, now) != quotas.usage(resource, new, now)

    def reconcile(self, quota: Manifest) -> None:
        """Write what is used, if that is news."""
        self.queue.add_after(meta.key(quota), RESYNC)
        status, hard = quota.get("status") or {}, (quota.get("spec") or {}).get("hard") or {}
        known = amounts.only(amounts.parse(status.get("used")), hard)
        used = amounts.text(known | self._usage(quota, list(hard)))
        new = {"hard": dict(sorted(hard.items())), "used": used}
        if new != {"hard": status.get("hard"), "used": status.get("used")}:
            self.client.update_status({**quota, "status": new})

    def _usage(self, quota: Manifest, names: list[str]) -> Amounts:
        """What the objects of the quota's namespace use of `names`."""
        caches, now, total = self.client.caches(), self.clock.unix(), dict[str, amounts.Amount]()
        for resource in dict.fromkeys(quotas.resource_of(name) for name in names):
            if resource not in caches or resource in UNCOUNTED:
                continue
            counted = quotas.measured(resource, names)
            used = dict.fromkeys(counted, NONE)
            for obj in self.informers.list(caches[resource], meta.namespace(quota)):
                if quotas.matches(quota, resource, obj):
                    used = amounts.plus(used, amounts.only(quotas.usage(resource, obj, now), counted))
            total |= used
        return total


_CHANGES = (quotas.PODS, quotas.SERVICES, quotas.CLAIMS)
