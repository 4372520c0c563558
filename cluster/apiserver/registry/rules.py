"""Rules that several groups share: names of DNS 1035, signers, URLs of webhooks, conditions, fields that stay.

Mirrors:  k8s.io/apimachinery/pkg/util/validation, pkg/apis/meta/v1/validation (ValidateConditions),
          k8s.io/apiserver/pkg/util/webhook/validation.go
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import urlsplit

from cluster.apiserver.registry.metadata import invalid, not_supported, raw_invalid, required, too_long
from cluster.apiserver.registry.resource import Problem, UpdateCheck
from cluster.objects import Manifest
from cluster.objects.names import name_problems, qualified_problems

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"
PORT = "must be between 1 and 65535, inclusive"
CONDITION_STATUSES = ("False", "True", "Unknown")
DNS1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character,"
    " and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is"
    " '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_DNS1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_REASON = re.compile(r"[A-Za-z](?:[A-Za-z0-9_,:]*[A-Za-z0-9_])?")
REASON = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric"
    " characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or"
    " 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is"
    " '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"
)


@lru_cache(maxsize=1024)
def dns1035_problems(text: str) -> tuple[str, ...]:
    """What is wrong with a name that must begin with a letter; empty if nothing is."""
    found = () if len(text) <= 63 else ("must be no more than 63 characters",)
    return found if _DNS1035.fullmatch(text) else (*found, DNS1035)


def dns1035(field: str, text: str) -> list[Problem]:
    """At most one problem, which names everything that is wrong."""
    problems = dns1035_problems(text)
    return [invalid(field, text, ",".join(problems))] if problems else []


def subdomain(field: str, text: str) -> list[Problem]:
    return [invalid(field, text, problem) for problem in name_problems(text, "subdomain")]


def too_many(field: str, count: int, limit: int) -> Problem:
    message = f"Too many: {count}: must have at most {limit} item{'' if limit == 1 else 's'}"
    return {"reason": "FieldValueTooMany", "message": message, "field": field}


def as_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def port(field: str, number: int) -> list[Problem]:
    return [] if 0 < number < 65536 else [invalid(field, number, f"port is not valid: {PORT}")]


def choice(field: str, value: str, choices: tuple[str, ...]) -> list[Problem]:
    """Problems of a word that must be there and be one of `choices`."""
    if not value:
        return [required(field)]
    return [] if value in choices else [not_supported(field, value, choices)]


def at(obj: Manifest, path: str) -> object:
    """The value at `spec.signerName`; None if there is none."""
    value: object = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def fixed(*paths: str) -> UpdateCheck:
    """An update check: these fields stay as they were."""

    def check(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
        found = []
        for path in paths:
            before, after = at(old, path), at(new, path)
            if before != after:
                simple = isinstance(after, (str, int, bool))
                found.append(
                    invalid(path, after, IMMUTABLE) if simple else raw_invalid(path, as_json(after), IMMUTABLE)
                )
        return found

    return check


def unchanged(*paths: str) -> UpdateCheck:
    """Like `fixed`, for fields whose type declares that they stay: errors about those don't show a value."""

    def check(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
        changed = (path for path in paths if (at(old, path) or None) != (at(new, path) or None))
        return [raw_invalid(path, "null", IMMUTABLE) for path in changed]

    return check


# --- signers ----------------------------------------------------------------------------------------------------

MAX_DOMAIN, MAX_SIGNER = 253, 253 + 253 + 63 + 2


def signer_problems(field: str, name: str) -> list[Problem]:
    """`example.com/signer-name`: a domain of two parts at least, and a path of subdomains."""
    if not name:
        return [required(field)]
    domain, slash, path = name.partition("/")
    if not slash or "/" in path:
        message = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [invalid(field, name, message)]
    found = [too_long(field, MAX_DOMAIN)] if len(domain) > MAX_DOMAIN else []
    labels = domain.split(".")
    found += _first_bad(field, domain, labels, "label")
    if len(labels) < 2:
        found.append(invalid(field, domain, "should be a domain with at least two segments separated by dots"))
    found += _first_bad(field, path, path.split("."), "subdomain")
    return [*found, too_long(field, MAX_SIGNER)] if len(name) > MAX_SIGNER else found


def _first_bad(field: str, shown: str, labels: list[str], rule: str) -> list[Problem]:
    for label in labels:
        problems = name_problems(label, rule)
        if problems:
            return [invalid(field, shown, f'validating label "{label}": {problem}') for problem in problems]
    return []


# --- webhooks ---------------------------------------------------------------------------------------------------

_FORM = "; desired format: https://host[/path]"


def client_problems(config: Manifest, where: str) -> Iterator[Problem]:
    """Where a webhook is called: a URL or a Service, one of them."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        yield required(where, "exactly one of url or service is required")
    elif url is not None:
        yield from url_problems(url, f"{where}.url")
    else:
        yield from service_problems(service or {}, f"{where}.service")


def url_problems(text: str, where: str) -> Iterator[Problem]:
    try:
        url = urlsplit(text)
    except ValueError as error:
        yield required(where, f'url must be a valid URL: parse "{text}": {error}{_FORM}')
        return
    if url.scheme != "https":
        yield invalid(where, url.scheme, f"'https' is the only allowed URL scheme{_FORM}")
    user, at_sign, host = url.netloc.rpartition("@")
    if not host:
        yield invalid(where, "", f"host must be specified{_FORM}")
    if at_sign:
        yield invalid(where, user, "user information is not permitted in the URL")
    if url.fragment:
        yield invalid(where, url.fragment, "fragments are not permitted in the URL")
    if url.query:
        yield invalid(where, url.query, "query parameters are not permitted in the URL")


def service_problems(service: Manifest, where: str) -> Iterator[Problem]:
    for part in ("namespace", "name"):  # The real server asks in this order: it has swapped the two.
        if not service.get(part):
            yield required(f"{where}.{'name' if part == 'namespace' else 'namespace'}")
    yield from port(f"{where}.port", service.get("port", 443))
    path = service.get("path")
    if path in (None, "", "/"):
        return
    yield from _path_problems(str(path), f"{where}.path")


def _path_problems(path: str, where: str) -> Iterator[Problem]:
    if path == "//":
        yield invalid(where, path, "segment[0] may not be empty")
        return
    if not path.startswith("/"):
        yield invalid(where, path, "must start with a '/'")
    for number, step in enumerate(path[1:].removesuffix("/").split("/")):
        if not step:
            yield invalid(where, path, f"segment[{number}] may not be empty")
            continue
        yield from (invalid(where, path, f"segment[{number}]: {p}") for p in name_problems(step, "subdomain"))


# --- conditions -------------------------------------------------------------------------------------------------


def condition_problems(conditions: Iterable[Manifest], where: str) -> Iterator[Problem]:
    """The rules of metav1.Condition, which the older kinds of conditions don't know."""
    seen: dict[str, None] = {}
    for number, condition in enumerate(conditions):
        field, kind = f"{where}[{number}]", condition.get("type", "")
        if kind in seen:
            message = f"Duplicate value: {as_json(kind)}"
            yield {"reason": "FieldValueDuplicate", "message": message, "field": f"{field}.type"}
        seen[kind] = None
        yield from _condition(condition, kind, field)


def _condition(condition: Manifest, kind: str, field: str) -> Iterator[Problem]:
    if kind:
        yield from (invalid(f"{field}.type", kind, problem) for problem in qualified_problems(kind))
    else:
        yield required(f"{field}.type")
    if condition.get("status", "") not in CONDITION_STATUSES:
        yield not_supported(f"{field}.status", condition.get("status", ""), CONDITION_STATUSES)
    if (condition.get("observedGeneration") or 0) < 0:
        message = "must be greater than or equal to zero"
        yield invalid(f"{field}.observedGeneration", condition["observedGeneration"], message)
    if not condition.get("lastTransitionTime"):
        yield required(f"{field}.lastTransitionTime")
    reason = condition.get("reason", "")
    if not reason:
        yield required(f"{field}.reason")
    elif len(reason) > 1024:
        yield too_long(f"{field}.reason", 1024)
    elif not _REASON.fullmatch(reason):
        yield invalid(f"{field}.reason", reason, REASON)
    if len(condition.get("message") or "") > 32768:
        yield too_long(f"{field}.message", 32768)
