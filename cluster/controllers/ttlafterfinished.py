"""TTL-after-finished controller: a Job that asked for it is deleted, with its pods, some time after its end.

Mirrors:  kubernetes/pkg/controller/ttlafterfinished/ttlafterfinished_controller.go
"""

from cluster.engine.clock import SECOND
from cluster.engine.controller import Controller
from cluster.objects import Manifest, conditions, meta, times
from cluster.objects.errors import Conflict, NotFound


class TtlAfterFinishedController(Controller):
    name = "ttl-after-finished-controller"
    kind = "Job"

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and expires(new) is not None:
            self.queue.add(meta.key(new))

    def reconcile(self, job: Manifest) -> None:
        due = expires(job)
        if due is None or meta.is_deleting(job):
            return
        left = due - self.clock.unix()
        if left > 0:
            self.queue.add_after(meta.key(job), left, f"job {meta.name(job)} is cleaned up")
            return
        try:
            self.client.delete("Job", meta.namespace(job), meta.name(job), uid=meta.uid(job), propagation="Foreground")
        except (NotFound, Conflict):
            return


def expires(job: Manifest) -> int | None:
    """When the Job may go, microseconds since 1970; None if it is not over or may stay."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    ended = next((c for type_ in ("Complete", "Failed") if (c := conditions.get(job, type_)) is not None), None)
    if ttl is None or ended is None or ended["status"] != "True":
        return None
    return times.parse(ended["lastTransitionTime"]) + int(ttl) * SECOND
