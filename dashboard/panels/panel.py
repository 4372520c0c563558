"""What a panel is: a name, a partial, and a function that gathers what the partial shows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise

from cluster.models import Cluster


@dataclass(frozen=True)
class View:
    """Who looks at which cluster, and with which wishes (the query)."""

    request: HttpRequest
    cluster: Cluster

    def wish(self, name: str, default: str = "") -> str:
        return self.request.GET.get(name, default)


@dataclass(frozen=True)
class Panel:
    """`context`: the template's variables. `title`: its tab's; panels with an `icon` fill the centre."""

    name: str
    context: Callable[[View], dict[str, Any]]
    title: str | Promise = ""
    icon: str = ""

    @property
    def template(self) -> str:
        return f"dashboard/panels/{self.name}.html"
