"""`manage.py addon`: which add-ons there are; `manage.py addon NAME`: its manifests, for `kubectl apply -f -`."""

from argparse import ArgumentParser
from typing import Any

from cluster.addons import ADDONS
from dashboard.management import commanding
from dashboard.management.commanding import Refused, common


class Command(commanding.Command):
    help = "Print an add-on's manifests, for `kubectl apply -f -`; without a name, which there are."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="such as metrics-server")
        common(parser, cluster=False)

    def act(self, options: dict[str, Any]) -> Any:
        name = options["name"]
        if name is None:
            return {"addons": list(ADDONS)}
        if name not in ADDONS:
            raise Refused(f"there is no add-on {name!r}; known: {', '.join(ADDONS)}")
        return {"addon": name, "manifests": ADDONS[name].read_text()}

    def say(self, answer: Any) -> str:
        return str(answer["manifests"]).rstrip("\n") if "manifests" in answer else "\n".join(answer["addons"])
