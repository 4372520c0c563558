"""The kinds of a cluster as its committed rows say: built-in ones always, custom ones of its definitions.

Nobody who asks for a built-in kind pays anything. Who asks for another one pays one look at the newest revisions of
the definitions; what was made of them is kept until one of those changes, and a definition is parsed once a revision.
"""

from collections import OrderedDict

import orjson

from cluster.apiserver.kinds import BUILT_IN, PREFIX, Kinds
from cluster.apiserver.reads import Reader
from cluster.gateway import pool
from cluster.objects import Manifest

MOST_CLUSTERS = 64  # Whose kinds are kept; the least recently asked for are forgotten first.


class _Known:
    """What is known of one cluster. `heads`: a definition's key to its newest revision."""

    def __init__(self, heads: dict[str, int], definitions: dict[str, Manifest]) -> None:
        self.heads, self.definitions = heads, definitions
        self.kinds = Kinds(definitions.values) if definitions else BUILT_IN


_known: OrderedDict[str, _Known] = OrderedDict()
_NOTHING = _Known({}, {})


async def of(cluster: str) -> Kinds:
    """The kinds that `cluster` serves now; the built-in ones if there is no such cluster."""
    heads = pool.reader().heads(cluster, PREFIX)
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
        if before.heads.get(key) == revision and key in before.definitions:
            found[key] = before.definitions[key]
            continue
        value = reader.value_of(revision)
        if value is not None:  # Else it changed in this moment: the next look sees the newer one.
            found[key] = orjson.loads(value)
    return _Known({key: heads[key] for key in found}, found)
