"""`manage.py why KIND/NAME`: the chain of causes behind how an object is now."""

from argparse import ArgumentParser
from typing import Any

from cluster.apiserver import registry
from cluster.models import Cluster
from cluster.objects import Manifest
from cluster.scheduler import explain as explain_verdict
from cluster.why import CommittedRecords, explain
from dashboard import advice, reads
from dashboard.management import commanding
from dashboard.management.commanding import Refused, common, row_of
from dashboard.panels import tab_why


class Command(commanding.Command):
    help = "Why is an object as it is? A walk along the causes of its last turning point."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("object", metavar="KIND/NAME", help="such as pod/web-1 or deploy/web")
        parser.add_argument("-n", "--namespace", default="default")
        parser.add_argument("--node", help="of a pod: why not there, then and now, and what would make it fit there")
        common(parser)

    def act(self, options: dict[str, Any]) -> Any:
        word, separator, name = options["object"].partition("/")
        if not separator or not name:
            raise Refused(f"{options['object']!r} must look like KIND/NAME, such as pod/web-1")
        row, kind = row_of(options["cluster"]), kind_of(word)
        told = explain(CommittedRecords(row), kind, options["namespace"], name)
        pod = reads.get(row, kind, options["namespace"], name) if kind == "Pod" else None
        if options["node"]:
            return {**told, "there": there(row, pod, options["node"])}
        if pod is not None and not pod["spec"].get("nodeName"):
            told = {**told, "fit": advice.about(row, pod)}
        return told

    def say(self, answer: Any) -> str:
        lines = [f"{answer['object']}: {answer['verdict']}"]
        for link in answer["chain"]:
            revision = f"revision {link['revision']}" if link["revision"] else ""
            lines.append(f"  {link['simTime'] / 1e6:>10.3f} s  {link['actor']:<26} {link['text']}  {revision}".rstrip())
        if "there" in answer:
            where = answer["there"]
            lines.append(f"  {where['node']}, when the scheduler decided: {where['then'] or 'nothing is kept of that'}")
            lines.append(f"  {where['node']}, now: {'; '.join(where['now']) or 'the pod would fit'}")
        fit = answer.get("fit") or answer.get("there") or {}
        if fit.get("left_out"):
            lines.append(f"  with {fit['left_out']:,} nodes no change is looked for; ask for one with --node")
        for number, each in enumerate(fit.get("advice", ()), 1):
            lines.append(f"  would fit ({number}):")
            lines += [f"    {change['text']}  {change['line']}" for change in each["changes"]]
        return "\n".join(lines)


def there(row: Cluster, pod: Manifest | None, node: str) -> dict[str, Any]:
    """{node, then: what the scheduler thought of it, now: what stands against it, advice}. Errors: Refused."""
    if pod is None:
        raise Refused("--node is for pods")
    if reads.get(row, "Node", "", node) is None:
        raise Refused(f'nodes "{node}" not found')
    found, verdict = advice.about(row, pod, node), tab_why.verdict_body(row, pod)
    then = explain_verdict.why_not(verdict, node).text if verdict is not None else ""
    return {"node": node, "then": then, "now": found["obstacles"][node], "advice": found["advice"]}


def kind_of(word: str) -> str:
    """`po`, `pods`, `Pod`, `deployments.apps` … as kubectl understands them. Errors: Refused."""
    wanted = word.split(".")[0].lower()
    for resource in registry.RESOURCES:
        if wanted in (resource.kind.lower(), resource.plural, resource.singular_name, *resource.short_names):
            return str(resource.kind)
    raise Refused(f'there is no kind "{word}"')
