"""Names: DNS labels and subdomains, label keys and values, and what is said of wrong ones.

Source: k8s.io/apimachinery/pkg/util/validation/validation.go
"""

import re
from functools import lru_cache

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with"
    " an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
QUALIFIED_FORM = (
    "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
    " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g."
    " 'example.com/MyName')"
)
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NAME_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


def is_dns_label(text: str) -> bool:
    """RFC 1123 label: at most 63 of a-z, 0-9 and inner dashes."""
    return len(text) <= 63 and _LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """RFC 1123 subdomain: labels joined by dots, at most 253 characters."""
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def name_problems(text: str, rule: str) -> tuple[str, ...]:
    """What is wrong with a name; empty if nothing is."""
    return tuple(_name_problems(text, rule))


def _name_problems(text: str, rule: str) -> list[str]:
    limit, pattern, message = (63, _LABEL, LABEL) if rule == "label" else (253, _SUBDOMAIN, SUBDOMAIN)
    if rule == "any":
        return []
    if rule == "path":
        if text in (".", ".."):
            return [f"may not be '{text}'"]
        return [f"may not contain '{char}'" for char in ("/", "%") if char in text]
    found = [] if len(text) <= limit else [f"must be no more than {limit} characters"]
    if pattern.fullmatch(text):
        return found
    only_dots = rule == "label" and _SUBDOMAIN.fullmatch(text)
    return [*found, "must not contain dots" if only_dots else message]


@lru_cache(maxsize=4096)
def qualified_problems(text: str) -> tuple[str, ...]:
    """What is wrong with a label or annotation key."""
    prefix, slash, name = text.rpartition("/")
    if text.count("/") > 1:
        return (QUALIFIED_FORM,)
    if slash and not prefix:
        return ("prefix part must be non-empty",)
    found = [f"prefix part {problem}" for problem in name_problems(prefix, "subdomain")] if slash else []
    if not name:
        return (*found, "name part must be non-empty", QUALIFIED)
    if len(name) > 63:
        found.append("name part must be no more than 63 characters")
    return tuple(found) if _NAME_PART.fullmatch(name) else (*found, QUALIFIED)


def label_value_problems(text: str) -> list[str]:
    """What is wrong with a label's value."""
    found = ["must be no more than 63 bytes"] if len(text) > 63 else []
    return found if _VALUE.fullmatch(text) else [*found, VALUE]
