"""What surrounds a pod's containers: security contexts, DNS, host aliases, resource claims; and what hooks may do.

Mirrors:  kubernetes/pkg/apis/core/validation/validation.go (ValidatePodSecurityContext, ValidateSecurityContext,
          validatePodDNSConfig, ValidateHostAliases, validatePodResourceClaims, validateLifecycle)
Left out: Windows, and profiles of AppArmor beyond their type.
Read next: podrules.py, which asks for these.
"""

import re
from collections.abc import Iterator
from typing import Any

from cluster.apiserver.registry.metadata import (
    IP_ADDRESS,
    duplicate,
    forbidden,
    invalid,
    is_ip,
    not_found,
    not_supported,
    raw_invalid,
    required,
)
from cluster.apiserver.registry.resource import Problem
from cluster.apiserver.registry.selectors import shown
from cluster.objects import Manifest
from cluster.objects.names import name_problems

MAX_ID, MAX_PORT = 2**31 - 1, 65535
PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
CHANGE_POLICIES, GROUP_POLICIES = ("Always", "OnRootMismatch"), ("Merge", "Strict")
PROC_MOUNTS = ("Default", "Unmasked")
SCHEMES = ("HTTP", "HTTPS")
HOOKS = ("exec", "httpGet", "tcpSocket", "sleep")
MAX_SERVERS, MAX_SEARCHES, MAX_SEARCH_TEXT = 3, 32, 2048
SYSCTL = re.compile(r"[a-z0-9]([-_a-z0-9]*[a-z0-9])?([\./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*")
SYSCTL_RULE = (
    "must have at most 253 characters and match regex"
    " ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
)


# --- security ---------------------------------------------------------------------------------------------------


def identity(context: Manifest, where: str) -> Iterator[Problem]:
    """Users and groups are numbers of 31 bits."""
    for name in ("fsGroup", "runAsUser", "runAsGroup"):
        value = context.get(name)
        if value is not None and not 0 <= value <= MAX_ID:
            yield invalid(f"{where}.{name}", value, f"must be between 0 and {MAX_ID}, inclusive")


def of_pod(spec: Manifest, where: str) -> Iterator[Problem]:
    """The pod's own security context, and the host's namespaces that it shares."""
    context = spec.get("securityContext") or {}
    if spec.get("hostPID") and spec.get("shareProcessNamespace"):
        message = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield invalid(f"{where}.shareProcessNamespace", True, message)
    where = f"{where}.securityContext"
    yield from identity(context, where)
    for number, group in enumerate(context.get("supplementalGroups") or []):
        if not 0 <= group <= MAX_ID:
            yield invalid(f"{where}.supplementalGroups[{number}]", group, f"must be between 0 and {MAX_ID}, inclusive")
    seen: set[str] = set()
    for number, sysctl in enumerate(context.get("sysctls") or []):
        name, field = sysctl.get("name", ""), f"{where}.sysctls[{number}].name"
        if not name:
            yield required(field)
        elif len(name) > 253 or not SYSCTL.fullmatch(name):
            yield invalid(field, name, SYSCTL_RULE)
        elif name in seen:
            yield duplicate(field, name)
        seen.add(name)
    for name, choices in (("fsGroupChangePolicy", CHANGE_POLICIES), ("supplementalGroupsPolicy", GROUP_POLICIES)):
        if context.get(name) is not None and context[name] not in choices:
            yield not_supported(f"{where}.{name}", context[name], choices)
    yield from _profiles(context, where)


def of_container(context: Manifest, where: str) -> Iterator[Problem]:
    yield from identity(context, where)
    if context.get("procMount") is not None and context["procMount"] not in PROC_MOUNTS:
        yield not_supported(f"{where}.procMount", context["procMount"], PROC_MOUNTS)
    if context.get("allowPrivilegeEscalation") is False:
        field = f"{where}.allowPrivilegeEscalation"
        if context.get("privileged"):
            message = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            yield invalid(field, False, message)
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            message = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield invalid(field, False, message)
    yield from _profiles(context, where)


def _profiles(context: Manifest, where: str) -> Iterator[Problem]:
    for name, word in (("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")):
        profile = context.get(name)
        if profile is None:
            continue
        kind, local, field = profile.get("type", ""), profile.get("localhostProfile"), f"{where}.{name}"
        if kind == "Localhost" and not local:
            yield required(f"{field}.localhostProfile", f"must be set when {word} type is Localhost")
        elif kind != "Localhost" and local is not None:
            message = f"can only be set when {word} type is Localhost"
            yield invalid(f"{field}.localhostProfile", local, message)
        if not kind:
            yield required(f"{field}.type", f"type is required when {name} is set")
        elif kind not in PROFILES:
            yield not_supported(f"{field}.type", kind, PROFILES)


# --- names and addresses ----------------------------------------------------------------------------------------


def dns(spec: Manifest, where: str) -> Iterator[Problem]:
    """`dnsConfig`, which a pod of policy None can't do without."""
    config, policy = spec.get("dnsConfig"), spec.get("dnsPolicy")
    if policy == "None" and config is None:
        yield required(where, "must provide `dnsConfig` when `dnsPolicy` is None")
        return
    config = config or {}
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if policy == "None" and not servers:
        yield required(f"{where}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
    if len(servers) > MAX_SERVERS:
        message = f"must not have more than {MAX_SERVERS} nameservers"
        yield raw_invalid(f"{where}.nameservers", shown(servers), message)
    for number, server in enumerate(servers):
        if not is_ip(server):
            yield invalid(f"{where}.nameservers[{number}]", server, IP_ADDRESS)
    if len(searches) > MAX_SEARCHES:
        message = f"must not have more than {MAX_SEARCHES} search paths"
        yield raw_invalid(f"{where}.searches", shown(searches), message)
    if len(" ".join(searches)) > MAX_SEARCH_TEXT:
        message = f"must not have more than {MAX_SEARCH_TEXT} characters (including spaces) in the search list"
        yield raw_invalid(f"{where}.searches", shown(searches), message)
    for number, search in enumerate(searches):
        name = search.removesuffix(".")
        for problem in name_problems(name, "subdomain") if search != "." else ():
            yield invalid(f"{where}.searches[{number}]", search, problem)
    for number, option in enumerate(config.get("options") or []):
        if not option.get("name"):
            yield required(f"{where}.options[{number}]", "must not be empty")


def host_aliases(aliases: list[Manifest], where: str) -> Iterator[Problem]:
    for number, alias in enumerate(aliases):
        if not is_ip(alias.get("ip", "")):
            yield invalid(f"{where}[{number}].ip", alias.get("ip", ""), IP_ADDRESS)
        for name in alias.get("hostnames") or []:
            for problem in name_problems(name, "subdomain"):
                yield invalid(f"{where}[{number}].hostnames", name, problem)


# --- claims to devices ------------------------------------------------------------------------------------------


def resource_claims(claims: list[Manifest], where: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, claim in enumerate(claims):
        field, name = f"{where}[{number}]", claim.get("name", "")
        if not name:
            yield required(f"{field}.name")
        elif name in seen:
            yield duplicate(f"{field}.name", name)
        else:
            yield from (invalid(f"{field}.name", name, problem) for problem in name_problems(name, "label"))
        seen.add(name)
        sources = [source for source in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(source)]
        if len(sources) == 2:
            message = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            yield raw_invalid(field, shown(claim), message)
        if not sources:
            message = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            yield raw_invalid(field, shown(claim), message)


def used_claims(container: Manifest, where: str, known: frozenset[str]) -> Iterator[Problem]:
    for number, claim in enumerate((container.get("resources") or {}).get("claims") or []):
        field, name = f"{where}.resources.claims[{number}]", claim.get("name", "")
        if not name:
            yield required(f"{field}.name")
        elif name not in known:
            yield not_found(f"{field}.name", name)


# --- hooks ------------------------------------------------------------------------------------------------------


def lifecycle(hooks: Manifest, where: str, grace: int) -> Iterator[Problem]:
    for name in ("postStart", "preStop"):
        if hooks.get(name) is not None:
            yield from _hook(hooks[name], f"{where}.{name}", grace)


def _hook(hook: Manifest, where: str, grace: int) -> Iterator[Problem]:
    handlers = [handler for handler in HOOKS if hook.get(handler) is not None]
    if not handlers:
        yield required(where, "must specify a handler type")
    yield from (forbidden(f"{where}.{handler}", "may not specify more than 1 handler type") for handler in handlers[1:])
    for handler in handlers[:1]:
        action = hook[handler]
        if handler == "exec" and not action.get("command"):
            yield required(f"{where}.exec.command")
        elif handler == "httpGet":
            yield from http_get(action, f"{where}.httpGet")
        elif handler == "tcpSocket":
            yield from port_problems(action.get("port"), f"{where}.tcpSocket.port")
        elif handler == "sleep" and not 0 <= action.get("seconds", 0) <= grace:
            message = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            yield invalid(f"{where}.sleep", action.get("seconds", 0), message)


def http_get(action: Manifest, where: str) -> Iterator[Problem]:
    if not action.get("path"):
        yield required(f"{where}.path")
    yield from port_problems(action.get("port"), f"{where}.port")
    if action.get("scheme") not in SCHEMES:
        yield not_supported(f"{where}.scheme", action.get("scheme", ""), SCHEMES)
    for number, header in enumerate(action.get("httpHeaders") or []):
        name = header.get("name", "")
        if not re.fullmatch(r"[-A-Za-z0-9]+", name):
            message = (
                "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used"
                " for validation is '[-A-Za-z0-9]+')"
            )
            yield invalid(f"{where}.httpHeaders[{number}].name", name, message)


def port_problems(port: Any, where: str) -> Iterator[Problem]:
    if isinstance(port, str):
        if len(port) > 15 or not re.fullmatch(r"[-a-z0-9]+", port) or not re.search(r"[a-z]", port):
            yield invalid(where, port, "must be no more than 15 characters" if len(port) > 15 else _PORT_NAME)
    elif not 1 <= (port or 0) <= MAX_PORT:
        yield invalid(where, port or 0, f"must be between 1 and {MAX_PORT}, inclusive")


_PORT_NAME = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
