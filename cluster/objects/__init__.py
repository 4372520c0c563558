"""The nouns of Kubernetes as pure functions over plain dicts: no state, no clock, no chance.

A `Manifest` is an object as `kubectl get -o json` shows it. It is shared and never changed: make a new dict.
"""

from typing import Any

Manifest = dict[str, Any]
