"""Clusters come, start afresh and go: one transaction each, and never a revision that was there before.

These too arrive through the cluster's inbox, so they take their turn among its other requests and whoever executes
them is the owner. A new cluster is only a row; its world is built by the first turn.

Read next: driver.py, which calls this.
"""

import os
import secrets
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction

from cluster import ENGINE_VERSION
from cluster.addons import USUAL, installer
from cluster.apiserver import commits
from cluster.inbox import Answer, refusal
from cluster.models import Cluster, DeadInput, FormerCluster
from cluster.objects.credentials import keys
from cluster.objects.errors import ApiError
from cluster.objects.names import is_dns_label
from cluster.scheduler import configuration

MOST_NODES = 5_000
BUILT_IN, NO_PLUGIN = "built-in", "none"  # Of a cluster's option `cni`: do machines come with a network plugin?
OPERATIONS = ("create", "reset", "delete")
REPLAYING = "its life is being lived again"
ALREADY = " already"  # Ends the reason of a DeadInput that marks an operation which must not run twice.


def accepted(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, orjson.dumps(body))


def problem_of(name: str, request: dict[str, Any]) -> str | None:
    """What is wrong with a request to create `name`, in one line; None: nothing."""
    if not is_dns_label(name):
        return f"cluster name {name!r} is not a DNS label: lower case letters, digits and '-', at most 63 characters"
    nodes, seed = request.get("options", {}).get("nodes", 3), request.get("seed", 0)
    if not isinstance(nodes, list) and not (isinstance(nodes, int) and 0 <= nodes <= MOST_NODES):
        return f"nodes is {nodes!r}; it must be a whole number from 0 to {MOST_NODES}"
    if not isinstance(seed, int) or not 0 <= seed < 2**63:
        return f"seed is {seed!r}; it must be a whole number from 0 to 2^63 - 1"
    if problem := installer.problem_of(request.get("options", {}).get(installer.OPTION, [])):
        return problem
    plugin = request.get("options", {}).get("cni", BUILT_IN)
    if plugin not in (BUILT_IN, NO_PLUGIN):
        return f"cni is {plugin!r}; it must be {BUILT_IN} or {NO_PLUGIN}"
    told = request.get("options", {}).get("schedulerConfiguration", "")
    if not isinstance(told, str):
        return f"schedulerConfiguration is {told!r}; it must be a text: a KubeSchedulerConfiguration"
    try:
        configuration.read(told)
    except ApiError as error:
        return error.message
    return None


def installation_options() -> dict[str, Any]:
    """What all clusters of this installation share: its certificate authority, and whether pods obey lab notes.

    A new cluster has all add-ons unless it is told otherwise; one of a lab has none, as the recorded ones had.
    """
    authority = Path(settings.HOME) / "tls" / "ca.crt"
    options: dict[str, Any] = {"ca": authority.read_text()} if authority.exists() else {}
    if os.environ.get("ORRERY_LAB") == "1":
        return {**options, "lab": True}
    return {**options, installer.OPTION: list(USUAL)}


def create(name: str, identity: str, request: dict[str, Any]) -> Answer:
    """A new cluster of `request["options"]`. `epoch` and `seed` were chosen by whoever asked: they are inputs."""
    if problem := problem_of(name, request):
        return refusal(400, "BadRequest", problem)
    if Cluster.objects.filter(name=name).exists():
        return refusal(409, "AlreadyExists", f'clusters "{name}" already exists')
    with transaction.atomic():
        former = FormerCluster.objects.filter(pk=name).values_list("revision", flat=True).first() or 0
        row = Cluster.objects.create(
            name=name,
            seed=request["seed"],
            epoch=request["epoch"],
            options={keys.OPTION: secrets.token_hex(32), **installation_options(), **request.get("options", {})},
            engine=ENGINE_VERSION,
            speed=request.get("speed", 1.0),
            first_revision=former,
            compacted=former,
            revision=former,
            next_due=0,
        )
        _remember(row, identity, "created")
    return accepted(201, {"cluster": name, "seed": row.seed, "nodes": row.options.get("nodes", 3)})


def restore(name: str, export: dict[str, Any]) -> Cluster:
    """A row that an exported life can be lived into again. Errors: ValueError."""
    if problem := problem_of(name, {"seed": export["seed"], "options": export["options"]}):
        raise ValueError(problem)
    if Cluster.objects.filter(name=name).exists():
        raise ValueError(f'clusters "{name}" already exists')
    first = export.get("first_revision", 0)
    if FormerCluster.objects.filter(pk=name, revision__gt=first).exists():
        raise ValueError(f'a cluster "{name}" lived here before, and its revisions must not go down; take another name')
    return Cluster.objects.create(
        name=name,
        seed=export["seed"],
        epoch=export["epoch"],
        options=export["options"],
        engine=ENGINE_VERSION,
        stopped=REPLAYING,  # Nobody drives it meanwhile.
        first_revision=first,
        compacted=first,
        revision=first,
    )


def restored(row: Cluster) -> None:
    """The life was lived: the cluster stands paused at its end."""
    Cluster.objects.filter(pk=row.pk).update(stopped="", paused=True)


def reset(name: str, identity: str, request: dict[str, Any], owner_epoch: int) -> Answer:
    """Start `name` afresh: same options and seed unless the request has others. Errors: commits.Fenced."""
    with transaction.atomic():
        row = Cluster.objects.select_for_update().get(name=name)
        if row.owner_epoch != owner_epoch:
            raise commits.Fenced(f"cluster {name} is no longer owned under epoch {owner_epoch}")
        row.seed = request.get("seed", row.seed)
        row.options = {**row.options, **request.get("options", {})}
        if problem := problem_of(name, {"seed": row.seed, "options": row.options}):
            return refusal(400, "BadRequest", problem)
        commits.forget(row.pk)
        row.epoch, row.engine = request["epoch"], ENGINE_VERSION
        row.first_revision = row.compacted = row.revision
        row.step = row.sequence = row.inputs = row.events = row.sim_now = row.next_due = 0
        row.last_checkpoint_step = row.last_checkpoint_time = 0
        row.next_event, row.paused, row.asleep, row.stopped = None, False, False, ""
        row.save()
        _remember(row, identity, "reset")
    return accepted(200, {"cluster": name, "seed": row.seed, "reset": True})


def delete(name: str, owner_epoch: int) -> Answer:
    """Forget `name`, but for how far its revisions went. Refused for the last one. Errors: commits.Fenced."""
    with transaction.atomic():
        rows = {row.name: row for row in Cluster.objects.select_for_update().order_by("pk")}
        if rows[name].owner_epoch != owner_epoch:
            raise commits.Fenced(f"cluster {name} is no longer owned under epoch {owner_epoch}")
        if len(rows) == 1:
            message = f'cluster "{name}" is the last one, and there must be one; create another before deleting it'
            return refusal(409, "Conflict", message)
        row = rows[name]
        commits.forget(row.pk)
        DeadInput.objects.filter(cluster_id=row.pk).delete()
        FormerCluster.objects.update_or_create(pk=name, defaults={"revision": row.revision})
        Cluster.objects.filter(pk=row.pk)._raw_delete(using="default")
    return accepted(200, {"cluster": name, "deleted": True})


def _remember(row: Cluster, identity: str, operation: str) -> None:
    """So that the next owner, if this one dies before it answers, does not do it again."""
    DeadInput.objects.create(id=identity, cluster=row, reason=operation + ALREADY)


def done_already(name: str, identity: str) -> Answer | None:
    """The answer of an operation that was committed, but perhaps not answered, before."""
    mark = DeadInput.objects.filter(pk=identity, reason__endswith=ALREADY).first()
    return accepted(200, {"cluster": name, mark.reason.removesuffix(ALREADY): True}) if mark else None
