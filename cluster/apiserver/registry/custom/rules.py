"""Rules in CEL (x-kubernetes-validations): what a schema alone cannot say."""

from typing import Any

from cluster.apiserver.registry.custom.structure import Node
from cluster.apiserver.registry.resource import Problem


def checked(found: list[Problem], obj: Any, node: Node, old: Any) -> list[Problem]:
    return found


def compile_problems(node: Node, path: str) -> list[Problem]:
    return []
