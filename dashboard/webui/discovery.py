"""What the API serves, as its discovery documents say: web-ui knows no kind by itself, so custom ones are there too."""

from typing import Any, NamedTuple

from dashboard.webui.client import Client

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Kind(NamedTuple):
    """`root`: the path of its group and version, such as apis/apps/v1; `name`: as kubectl takes it."""

    root: str
    kind: str
    plural: str
    name: str
    namespaced: bool
    verbs: tuple[str, ...]
    subresources: tuple[str, ...]

    @property
    def singular(self) -> str:
        """As kubectl prints it: deployment.apps."""
        return self.kind.lower() + self.name.removeprefix(self.plural)

    @property
    def list(self) -> str:
        return f"{self.root}/{self.plural}"

    def path(self, namespace: str, name: str) -> str:
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.root}{scope}/{self.plural}{'/' if name else ''}{name}"


def kinds(server: Client) -> list[Kind]:
    """Every kind of every group, in the version that the API prefers, and then in its others."""
    documents = [server.get(root, accept=DISCOVERY).body for root in ("api", "apis")]
    groups = [group for document in documents for group in document.get("items", ())]
    first = [kind for group in groups for kind in _of(group, group["versions"][:1])]
    return first + [kind for group in groups for kind in _of(group, group["versions"][1:])]


def _of(group: dict[str, Any], versions: list[dict[str, Any]]) -> list[Kind]:
    name = group["metadata"].get("name", "")
    found = []
    for version in versions:
        root = f"apis/{name}/{version['version']}" if name else f"api/{version['version']}"
        for each in version.get("resources", ()):
            plural = each["resource"]
            known = each.get("responseKind") or {}
            below = tuple(one["subresource"] for one in each.get("subresources", ()))
            full = f"{plural}.{name}".rstrip(".")
            namespaced = each.get("scope") == "Namespaced"
            found.append(Kind(root, known.get("kind", ""), plural, full, namespaced, tuple(each["verbs"]), below))
    return found


def of_object(known: list[Kind], api_version: str, kind: str) -> Kind | None:
    root = f"apis/{api_version}" if "/" in api_version else f"api/{api_version}"
    return next((each for each in known if each.root == root and each.kind == kind), None)
