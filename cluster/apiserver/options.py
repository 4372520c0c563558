"""What a request asks besides its object: dry run, grace, preconditions, field validation; from query and body.

Every verb has its own kind of options in the real API (CreateOptions, UpdateOptions, PatchOptions, DeleteOptions), and
a mistake in them is answered as an invalid object of that kind.

Mirrors:  k8s.io/apimachinery/pkg/apis/meta/v1/{types.go, validation/validation.go}
"""

from dataclasses import dataclass, field
from typing import Any

from cluster.apiserver.registry.metadata import forbidden, invalid, not_supported, required, too_long
from cluster.apiserver.registry.resource import Problem
from cluster.apiserver.stages import Stages
from cluster.objects import Manifest, errors

META_GROUP = "meta.k8s.io"
POLICIES = ("Foreground", "Background", "Orphan", "nil")
VALIDATION = ("", "Ignore", "Strict", "Warn")
MAX_MANAGER = 128  # Bytes of a field manager's name.
KINDS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}

Query = dict[str, list[str]]


@dataclass
class Options:
    """Options of one request. `grace`: seconds. `warnings`: what the answer shall warn of.

    `stages`: where the request's way is written down; None: nobody asks, as for our own components' writes.
    `hooks`: what webhooks answered (admission/webhooks.py); None: they are not asked.
    """

    dry_run: bool = False
    grace: int | None = None
    propagation: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    orphan: bool | None = None
    field_validation: str = "Warn"
    warnings: list[str] = field(default_factory=list)
    stages: Stages | None = None
    hooks: Any = None
    manager: str = ""  # Who owns the fields that this writes; empty: the component that writes.
    managed: list[Manifest] | None = None  # managedFields, where an apply has worked them out already.


def of_apply(query: Query) -> tuple[Options, bool]:
    """Options of a server-side apply, and whether it is forced. Errors: Invalid."""
    dry, manager, mode = query.get("dryRun", []), _last(query, "fieldManager"), _last(query, "fieldValidation")
    problems = [*_dry_run_problems(dry), *_manager_problems(manager)]
    if not manager:
        problems.append(required("fieldManager", "is required for apply patch"))
    if mode not in VALIDATION:
        problems.append(not_supported("fieldValidation", mode, VALIDATION))
    if problems:
        raise errors.Invalid(META_GROUP, "PatchOptions", "", problems)
    options = Options(dry_run=bool(dry), field_validation=mode or "Warn", manager=manager)
    return options, bool(_boolean(query, "force"))


def of_write(method: str, query: Query) -> Options:
    """Options of a POST, PUT or PATCH. Errors: Invalid."""
    dry, manager, mode = query.get("dryRun", []), _last(query, "fieldManager"), _last(query, "fieldValidation")
    problems = [*_dry_run_problems(dry), *_manager_problems(manager)]
    if mode not in VALIDATION:
        problems.append(not_supported("fieldValidation", mode, VALIDATION))
    if method == "PATCH" and "force" in query:
        problems.append(forbidden("force", "may not be specified for non-apply patch"))
    if problems:
        raise errors.Invalid(META_GROUP, KINDS[method], "", problems)
    return Options(dry_run=bool(dry), field_validation=mode or "Warn", manager=manager)


def of_delete(query: Query, given: Manifest) -> Options:
    """Options of a DELETE: the body's (`given`, a DeleteOptions) win over the query's. Errors: Invalid, BadRequest."""
    preconditions = given.get("preconditions") or {}
    options = Options(
        grace=given.get("gracePeriodSeconds", _integer(query, "gracePeriodSeconds")),
        propagation=given.get("propagationPolicy") or _last(query, "propagationPolicy") or None,
        orphan=given.get("orphanDependents", _boolean(query, "orphanDependents")),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
    )
    dry = given.get("dryRun") or query.get("dryRun", [])
    problems: list[Problem] = []
    if options.orphan is not None and options.propagation is not None:
        conflict = "orphanDependents and deletionPropagation cannot be both set"
        problems.append(invalid("propagationPolicy", options.propagation, conflict))
    elif options.propagation is not None and options.propagation not in POLICIES[:3]:
        problems.append(not_supported("propagationPolicy", options.propagation, POLICIES))
    problems += _dry_run_problems(dry)
    if problems:
        raise errors.Invalid(META_GROUP, "DeleteOptions", "", problems)
    options.dry_run = bool(dry)
    return options


def _dry_run_problems(values: list[str]) -> list[Problem]:
    if all(value == "All" for value in values):
        return []
    shown = "[" + ",".join(f'"{value}"' for value in values) + "]"
    message = f'Unsupported value: {shown}: supported values: "All"'
    return [{"reason": "FieldValueNotSupported", "message": message, "field": "dryRun"}]


def _manager_problems(name: str) -> list[Problem]:
    if len(name.encode(errors="replace")) > MAX_MANAGER:
        return [too_long("fieldManager", MAX_MANAGER)]
    return [] if name.isprintable() else [invalid("fieldManager", name, "should only contain printable characters")]


def _last(query: Query, name: str) -> str:
    return query.get(name, [""])[-1]


def _integer(query: Query, name: str) -> int | None:
    text = _last(query, name)
    if not text:
        return None
    try:
        number = int(text)
    except ValueError:
        raise errors.BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    if not -(2**63) <= number < 2**63:
        raise errors.BadRequest(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def _boolean(query: Query, name: str) -> bool | None:
    return None if name not in query else _last(query, name).lower() not in ("false", "0")
