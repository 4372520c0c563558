"""Makes cluster/apiserver/schema/kubernetes-1.37.json.gz: the structure of every API type, without its sentences.

    python tools/schema_table.py DIRECTORY-OF-OPENAPI-V3-DOCUMENTS

Names, types, formats, required fields, list types and merge keys; no descriptions.
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent.parent / "cluster/apiserver/schema/kubernetes-1.37.json.gz"


def without_descriptions(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_descriptions(v) for k, v in value.items() if k != "description" or not isinstance(v, str)}
    return [without_descriptions(item) for item in value] if isinstance(value, list) else value


def main(folder: str) -> None:
    schemas: dict[str, Any] = {}
    for path in sorted(Path(folder).glob("*.json.gz")):
        with gzip.open(path) as file:
            schemas |= json.load(file)["components"]["schemas"]
    text = json.dumps(without_descriptions(dict(sorted(schemas.items()))), separators=(",", ":"))
    OUT.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(sys.argv[1])
