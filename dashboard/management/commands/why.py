"""`manage.py why KIND/NAME`: the chain of causes behind how an object is now."""

from argparse import ArgumentParser
from typing import Any

from cluster.apiserver import registry
from cluster.why import CommittedRecords, explain
from dashboard import advice, reads
from dashboard.management import commanding
from dashboard.management.commanding import Refused, common, row_of


class Command(commanding.Command):
    help = "Why is an object as it is? A walk along the causes of its last turning point."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("object", metavar="KIND/NAME", help="such as pod/web-1 or deploy/web")
        parser.add_argument("-n", "--namespace", default="default")
        common(parser)

    def act(self, options: dict[str, Any]) -> Any:
        word, separator, name = options["object"].partition("/")
        if not separator or not name:
            raise Refused(f"{options['object']!r} must look like KIND/NAME, such as pod/web-1")
        row, kind = row_of(options["cluster"]), kind_of(word)
        told = explain(CommittedRecords(row), kind, options["namespace"], name)
        pod = reads.get(row, kind, options["namespace"], name) if kind == "Pod" else None
        if pod is not None and not pod["spec"].get("nodeName"):
            told = {**told, "fit": advice.about(row, pod)}
        return told

    def say(self, answer: Any) -> str:
        lines = [f"{answer['object']}: {answer['verdict']}"]
        for link in answer["chain"]:
            revision = f"revision {link['revision']}" if link["revision"] else ""
            lines.append(f"  {link['simTime'] / 1e6:>10.3f} s  {link['actor']:<26} {link['text']}  {revision}".rstrip())
        for number, each in enumerate(answer.get("fit", {}).get("advice", ()), 1):
            lines.append(f"  would fit ({number}):")
            lines += [f"    {change['text']}  {change['line']}" for change in each["changes"]]
        return "\n".join(lines)


def kind_of(word: str) -> str:
    """`po`, `pods`, `Pod`, `deployments.apps` … as kubectl understands them. Errors: Refused."""
    wanted = word.split(".")[0].lower()
    for resource in registry.RESOURCES:
        if wanted in (resource.kind.lower(), resource.plural, resource.singular_name, *resource.short_names):
            return str(resource.kind)
    raise Refused(f'there is no kind "{word}"')
