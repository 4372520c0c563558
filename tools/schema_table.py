"""Makes cluster/apiserver/schema/kubernetes-1.37.json.gz: the structure of every API type, without its sentences.

    python tools/schema_table.py DIRECTORY-OF-OPENAPI-V3-DOCUMENTS [OPENAPI-V2-DOCUMENT]

The second document fills in groups of which there is no document of the newer form.

Names, types, formats, required fields, list types and merge keys; no descriptions.
"""

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent.parent / "cluster/apiserver/schema/kubernetes-1.37.json.gz"


def without_descriptions(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_descriptions(v) for k, v in value.items() if k != "description" or not isinstance(v, str)}
    return [without_descriptions(item) for item in value] if isinstance(value, list) else value


def as_newer(value: Any) -> Any:
    """A part of the older document in the newer form: references point elsewhere, and stand in an `allOf`."""
    if isinstance(value, list):
        return [as_newer(item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("$ref"), str):
        reference = value["$ref"].replace("#/definitions/", "#/components/schemas/")
        return {"allOf": [{"$ref": reference}]}
    return {name: as_newer(item) for name, item in value.items()}


def add(name: str, missing: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Move a type, and those it is made of, over from `missing`."""
    if name in missing:
        schemas[name] = missing.pop(name)
        for reference in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(schemas[name])):
            add(reference, missing, schemas)


def main(folder: str, older: str = "") -> None:
    schemas: dict[str, Any] = {}
    for path in sorted(Path(folder).glob("*.json.gz")):
        with gzip.open(path) as file:
            schemas |= json.load(file)["components"]["schemas"]
    if older:
        with gzip.open(older) as file:
            definitions = as_newer(json.load(file)["definitions"])
        missing = {name: each for name, each in definitions.items() if name not in schemas}
        for name in [name for name in missing if name.startswith("io.k8s.api.")]:
            add(name, missing, schemas)
    text = json.dumps(without_descriptions(dict(sorted(schemas.items()))), separators=(",", ":"))
    OUT.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:3])
