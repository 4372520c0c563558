"""`manage.py cluster create NAME | cloud | list | delete | reset | kubeconfig | export | replay | digest`."""

import json
import secrets
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from cluster import inbox, lifecycle
from cluster.addons import USUAL
from cluster.apiserver import commits
from cluster.models import Cluster, Machine
from cluster.world import World, replay
from dashboard import tls
from dashboard.management import commanding
from dashboard.management.commanding import Refused, ask, common, contents_of, row_of


class Command(commanding.Command):
    help = "Create, list, delete, start afresh, connect to, export and replay clusters."

    def arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        create = actions.add_parser("create", help="a new cluster")
        create.add_argument("name")
        create.add_argument("--nodes", type=int, default=3, help="how many machines (default: 3)")
        create.add_argument("--cloud", action="store_true", help="rent its machines from the cloud")
        create.add_argument("--seed", type=int, help="same seed, same cluster (default: a random one)")
        create.add_argument("--addons", help=f"comma-separated, or none (default: {','.join(USUAL)})")
        create.add_argument("--cni", choices=("built-in", "none"), default="built-in", help="none: no network plugin")
        create.add_argument("--scheduler-config", metavar="FILE", help="a KubeSchedulerConfiguration to begin with")
        common(create, cluster=False)
        common(actions.add_parser("list", help="all clusters"), cluster=False)
        cloud = actions.add_parser("cloud", help="use the cloud or not, and what its API does to us")
        cloud.add_argument("name", help="the cluster")
        cloud.add_argument("op", choices=tuple(CLOUD), metavar="|".join(CLOUD))
        cloud.add_argument("words", nargs="*", metavar="WORD", help="slow FACTOR, quota KIND LIMIT, terminate NODE …")
        common(cloud, cluster=False)
        for name, text in (
            ("delete", "forget a cluster; refused for the last one"),
            ("reset", "start a cluster afresh, above its old revisions"),
            ("kubeconfig", "print what kubectl needs to connect"),
            ("export", "print seed, engine version and inputs: enough to live the same life again"),
            ("digest", "print one number over every revision: equal lives have equal digests"),
        ):
            action = actions.add_parser(name, help=text)
            action.add_argument("name", nargs="?", help="the cluster (default: default)")
            common(action)
            if name == "kubeconfig":
                action.add_argument("--user", help="for this user (default: the administrator)")
                action.add_argument("--group", action="append", default=[], help="who is in this group; repeatable")
        again = actions.add_parser("replay", help="live an export again, in memory, and print its digest")
        again.add_argument("file", help="what `export` printed; - for standard input")
        again.add_argument("--slice", type=int, default=1_000, help="steps a turn; makes no difference")
        again.add_argument("--into", metavar="NAME", help="keep it, as a new cluster that is paused at its end")
        common(again, cluster=False)

    def act(self, options: dict[str, Any]) -> Any:
        self.action = options["action"]
        name = options.get("name") or options.get("cluster") or "default"
        actions = {
            "create": lambda: create(name, options["nodes"], options["seed"], wishes(options)),
            "cloud": lambda: ask(row_of(name).name, cloud_request(options["op"], options["words"])),
            "list": listing,
            "delete": lambda: ask(row_of(name).name, {"type": "delete"}),
            "reset": lambda: ask(row_of(name).name, {"type": "reset", "epoch": time.time_ns() // 1_000}),
            "kubeconfig": lambda: kubeconfig(row_of(name), options["user"], options["group"]),
            "export": lambda: export(row_of(name)),
            "digest": lambda: digest(row_of(name)),
            "replay": lambda: replayed(options["file"], options["slice"], options["into"]),
        }
        return actions[self.action]()

    def say(self, answer: Any) -> str:
        if self.action == "create":
            return f'cluster "{answer["cluster"]}" created with seed {answer["seed"]}'
        if self.action == "list":
            lines = [
                f"{row['name']:<20} {row['nodes']:>5} {row['revision']:>9} {row['seed']:>12}  {row['state']}"
                for row in answer
            ]
            return "\n".join([f"{'NAME':<20} {'NODES':>5} {'REVISION':>9} {'SEED':>12}  STATE", *lines])
        if self.action == "cloud":
            return cloud_words(answer)
        if self.action == "delete":
            return f'cluster "{answer["cluster"]}" deleted'
        if self.action == "reset":
            return f'cluster "{answer["cluster"]}" begins again'
        if self.action == "kubeconfig":
            return str(answer["kubeconfig"]).rstrip("\n")
        if self.action == "export":
            return json.dumps(answer)
        return f"{answer['digest']}  revision {answer['revision']}, step {answer['step']}"


CLOUD: dict[str, tuple[str, ...]] = {  # What each may be told with; numbers but for the first of quota and terminate.
    "on": (),
    "off": (),
    "ok": (),
    "slow": ("factor",),
    "fail": ("percent",),
    "down": (),
    "throttle": ("rate",),
    "quota": ("kind", "limit"),
    "terminate": ("node",),
}


def cloud_request(operation: str, words: list[str]) -> dict[str, Any]:
    """The input that the words ask for. Errors: Refused."""
    fields = CLOUD[operation]
    needed = len(fields) if operation in ("quota", "terminate") else 0
    if not needed <= len(words) <= len(fields):
        usage = " ".join(field.upper() if needed else f"[{field.upper()}]" for field in fields)
        given_words = " ".join(words) or "nothing"
        raise Refused(f"cloud {operation} takes: {usage or 'nothing more'}; it was given: {given_words}")
    given: dict[str, Any] = dict(zip(fields, words, strict=False))
    if operation == "terminate":
        return {"type": "cloud-terminate", **given}
    for field, word in given.items():
        given[field] = int(word) if word.isdigit() and field != "kind" else word
    return {"type": "cloud", "op": operation, **given}


def wishes(options: dict[str, Any]) -> dict[str, Any]:
    """What a new cluster is made of beside its nodes. Errors: Refused: a file can't be read."""
    found: dict[str, Any] = {"cloud": True} if options["cloud"] else {}
    found |= {"cni": "none"} if options["cni"] == "none" else {}
    if options["scheduler_config"]:
        found["schedulerConfiguration"] = contents_of(options["scheduler_config"])
    if options["addons"] is not None:
        names = options["addons"].split(",")
        found["addons"] = [] if names == ["none"] else [name.strip() for name in names]
    return found


def create(name: str, nodes: int, seed: int | None, wishes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Have cluster `name` made. `wishes`: more of its options. Errors: Refused."""
    options: dict[str, Any] = {"nodes": nodes, **(wishes or {})}
    request = {"options": options, "seed": secrets.randbits(31) if seed is None else seed}
    if problem := lifecycle.problem_of(name, request):
        raise Refused(problem)
    return ask(name, {**request, "type": "create", "epoch": time.time_ns() // 1_000})


def cloud_words(answer: dict[str, Any]) -> str:
    if answer.get("terminated"):
        return f"machine {answer['node']} terminated"
    state = answer["cloud"]
    api = f"{state['slow']} times slower, {state['errors']} % failing" + (", down" if state["down"] else "")
    return f"cloud {'on' if state['on'] else 'off'}; API: {api}, {state['rate']} calls a second"


def kubeconfig(row: Cluster, user: str | None, groups: list[str]) -> dict[str, Any]:
    """Errors: Refused."""
    if groups and not user:
        raise Refused("--group says in which groups --user is; name the user, too")
    made = tls.kubeconfig_of(row, user, groups) if user else tls.kubeconfig(row.name)
    return {"cluster": row.name, "kubeconfig": made}


def listing() -> list[dict[str, Any]]:
    return [
        {
            "name": row.name,
            "nodes": Machine.objects.filter(id__gte=f"{row.pk}:", id__lt=f"{row.pk};").count(),
            "revision": row.revision,
            "seed": row.seed,
            "simTime": row.sim_now,
            "state": row.stopped or ("asleep" if row.asleep else "paused" if row.paused else "running"),
        }
        for row in Cluster.objects.order_by("name")
    ]


def export(row: Cluster) -> dict[str, Any]:
    """The committed life of a cluster. Its row is read last: inputs that came meanwhile are left out."""
    rows = [one for one in commits.inputs(row.pk) if one.ordinal <= row.inputs]
    return commits.export(commits.row_of(row), row.step, row.sim_now, rows)


def digest(row: Cluster) -> dict[str, Any]:
    """Errors: Refused if the oldest revisions are gone."""
    if row.compacted > row.first_revision:
        raise Refused(
            f"revisions up to {row.compacted} of cluster {row.name} were compacted, so there is no digest of all"
        )
    writes = commits.revisions(row.pk, row.first_revision, row.revision)
    return {
        "digest": commits.digest(writes),
        "revision": row.revision,
        "step": row.step,
        "simTime": row.sim_now,
    }


def live_again(recorded: dict[str, Any], slice_steps: int, into: str | None) -> World:
    """In memory, or into the rows of a new cluster. Its inputs get ids of their own: the first life keeps its."""
    if into is None:
        return replay(recorded, slice_steps)
    row, epoch = commits.take_ownership(lifecycle.restore(into, recorded).name, "replay")
    inputs = [{**one, "id": inbox.new_id()} for one in recorded["inputs"]]
    try:
        return replay({**recorded, "inputs": inputs}, slice_steps, row.pk, epoch)
    finally:
        lifecycle.restored(row)


def replayed(file: str, slice_steps: int, into: str | None) -> dict[str, Any]:
    """Errors: Refused for a file that is no export, or one of another engine version."""
    try:
        recorded = json.loads(Path("/dev/stdin" if file == "-" else file).read_text())
        world = live_again(recorded, slice_steps, into)
    except OSError as error:
        raise Refused(f"{file} can't be read: {error.strerror}") from error
    except (KeyError, TypeError) as error:
        raise Refused(f"{file} is not an export: {error} is missing") from error
    except ValueError as error:
        raise Refused(f"{file}: {error}") from error
    clock = world.clock
    return {
        "digest": commits.digest(w for w in world.revisions() if w.revision > recorded.get("first_revision", 0)),
        "revision": world.store.revision,
        "step": clock.step,
        "simTime": clock.now,
    }
