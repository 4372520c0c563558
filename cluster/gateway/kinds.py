"""The kinds of a cluster as its committed rows say: built-in ones always, its own by definitions and APIServices.

Nobody who asks for a built-in kind pays anything. Who asks for another one pays one look at the newest revisions of
those objects; what was made of them is kept until one of them changes, and each is parsed once a revision.
"""

from collections import OrderedDict

import orjson

from cluster.apiserver.kinds import BUILT_IN, DEFINITIONS, PREFIXES, SERVICES, Kinds
from cluster.apiserver.reads import Reader
from cluster.apiserver.registry import aggregated
from cluster.gateway import pool
from cluster.objects import Manifest

MOST_CLUSTERS = 64  # Whose kinds are kept; the least recently asked for are forgotten first.


class _Known:
    """What is known of one cluster. `heads`: keys of definitions and APIServices to their newest revisions."""

    def __init__(self, heads: dict[str, int], objects: dict[str, Manifest]) -> None:
        self.heads, self.objects = heads, objects
        found = objects.values()
        definitions, services = ([each for each in found if each["kind"] == kind] for kind in (DEFINITIONS, SERVICES))
        own = bool(definitions) or any(aggregated.is_remote(entry) for entry in services)
        self.kinds = Kinds(lambda: definitions, lambda: services) if own else BUILT_IN


_known: OrderedDict[str, _Known] = OrderedDict()
_NOTHING = _Known({}, {})


async def of(cluster: str) -> Kinds:
    """The kinds that `cluster` serves now; the built-in ones if there is no such cluster."""
    reader = pool.reader()
    heads = {key: revision for prefix in PREFIXES for key, revision in reader.heads(cluster, prefix).items()}
    known = _known.get(cluster, _NOTHING)
    if heads != known.heads:
        known = await pool.in_thread(_read, heads, known)
        _known[cluster] = known
        if len(_known) > MOST_CLUSTERS:
            _known.popitem(last=False)
    elif cluster in _known:
        _known.move_to_end(cluster)
    return known.kinds


def _read(reader: Reader, heads: dict[str, int], before: _Known) -> _Known:
    """Parse what is new since `before`."""
    found: dict[str, Manifest] = {}
    for key, revision in heads.items():
        if before.heads.get(key) == revision and key in before.objects:
            found[key] = before.objects[key]
            continue
        value = reader.value_of(revision)
        if value is not None:  # Else it changed in this moment: the next look sees the newer one.
            found[key] = orjson.loads(value)
    return _Known({key: heads[key] for key in found}, found)
