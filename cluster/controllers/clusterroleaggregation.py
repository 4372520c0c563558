"""ClusterRole aggregation: a role that says "whatever carries this label" gets the rules of those that carry it.

    admin <── edit <── view <── system:aggregate-to-view, and whatever an add-on labels for its own kinds

Mirrors:  kubernetes/pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go
Left out: server-side apply of the rules; they are updated as a whole.
"""

from typing import Any

from cluster.engine.controller import Controller
from cluster.objects import Manifest, labels, meta

INDEX, YES = "aggregated", "yes"


class ClusterRoleAggregationController(Controller):
    name = "clusterrole-aggregation-controller"
    user = "system:serviceaccount:kube-system:clusterrole-aggregation-controller"
    kind = "ClusterRole"
    reaction = 5_000

    def watch(self) -> None:
        self.informers.add_index("ClusterRole", INDEX, _is_aggregated)
        super().watch()

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """Any role's change may concern every role that collects."""
        for role in self.informers.by_index("ClusterRole", INDEX, YES):
            self.queue.add(meta.key(role))

    def reconcile(self, role: Manifest) -> None:
        """Give it every rule of the roles that it selects, by their names, none twice."""
        if not role.get("aggregationRule"):
            return
        rules: list[Any] = []
        for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
            for other in sorted(self.informers.list("ClusterRole"), key=meta.name):
                if meta.name(other) != meta.name(role) and labels.matches(selector, meta.labels(other)):
                    rules += [rule for rule in other.get("rules") or () if rule not in rules]
        if rules != (role.get("rules") or []):
            self.client.update({**role, "rules": rules or None})


def _is_aggregated(role: Manifest) -> list[str]:
    return [YES] if role.get("aggregationRule") else []
