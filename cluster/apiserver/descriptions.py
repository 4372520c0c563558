"""What a field means, in the words of the API's own documentation.

We ship the structure of the API's types, not its texts. Those come at run time out of the source of the
`lightkube-models` package, whose docstrings are made of them; without the package descriptions are empty.

    describe("meta_v1.ObjectMeta.name")  ->  "Name must be unique within a namespace. …"

The package wraps its texts before column 80. A sentence that ends a line although the next word would have fitted most
likely ended a paragraph: that is how paragraphs are found again.
"""

import ast
import itertools
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

WIDTH = 79
SENTENCE_ENDS = (".", ":")
_ENTRY = re.compile(r"^ *\* \*\*(\w+)\*\* ``[^`]*`` - (.*)$")


def describe(path: str) -> str:
    """The description of `module.Class.field`, or of `module.Class`; empty if nobody can tell."""
    module, _, rest = path.partition(".")
    name, _, field = rest.partition(".")
    return _module(module).get(name, {}).get(field, "")


def of_type(name: str) -> tuple[str, dict[str, str]]:
    """(its own text, field to text) of a type by its OpenAPI name, `io.k8s.api.apps.v1.Deployment`."""
    *_, group, version, kind = ("", "", *name.split("."))
    plain = not re.match(r"v\d", version) and group != "util"  # api.resource.Quantity, pkg.runtime.RawExtension
    found = _module(version if plain else f"{group}_{version}").get(kind, {})
    return found.get("", ""), found


@cache
def _module(name: str) -> dict[str, dict[str, str]]:
    """Class to field to text; the class's own text is under the empty name."""
    spec = find_spec("lightkube")
    places = spec.submodule_search_locations if spec else None
    file = next((f for place in places or () if (f := Path(place) / "models" / f"{name}.py").is_file()), None)
    if file is None:
        return {}
    tree = ast.parse(file.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: _fields(ast.get_docstring(node, clean=False) or "") for node in classes}


def _fields(docstring: str) -> dict[str, str]:
    """Field to text of one class's docstring."""
    own, _, listed = docstring.partition("**parameters**")
    found: dict[str, list[str]] = {"": [line.strip() for line in own.strip().splitlines()]}
    lines: list[str] = []
    for line in listed.splitlines():
        entry = _ENTRY.match(line)
        if entry:
            lines = found[entry[1]] = [entry[2]]
        else:
            lines.append(line.strip())
    return {_json_name(name): _unwrapped(text) for name, text in found.items()}


def _json_name(name: str) -> str:
    """Python's `from_` and `x_kubernetes_list_type` as they are called in JSON."""
    return name.replace("_", "-") if name.startswith("x_") else name.rstrip("_")


def _unwrapped(lines: list[str]) -> str:
    """Lines as one text, with an empty line where a paragraph ended."""
    while lines and not lines[-1]:
        lines.pop()
    text = lines[0] if lines else ""
    for before, line in itertools.pairwise(lines):
        if not line or not before:
            text = text.rstrip("\n") + "\n\n" + line
            continue
        fitted = len(before) + 1 + len(line.split(" ", 1)[0]) < WIDTH
        text += ("\n\n" if fitted and before.endswith(SENTENCE_ENDS) else " ") + line
    return text
