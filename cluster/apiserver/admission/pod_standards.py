"""The Pod Security Standards: what `baseline` and `restricted` forbid a pod, version by version.

A check is one question about a pod's spec with its answer in two parts, a reason and a detail. A level has all checks
below it too, but for those that a stricter one replaces. Versions let a cluster be upgraded before its namespaces are.

Mirrors:  k8s.io/pod-security-admission/policy (registry.go, check_*.go)
Read next: pod_security.py, which asks.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from cluster.objects import Manifest

PRIVILEGED, BASELINE, RESTRICTED = "privileged", "baseline", "restricted"
LEVELS = (PRIVILEGED, BASELINE, RESTRICTED)  # In order of strictness.
LATEST = 37  # Minor version of the newest standards there are.

Violation = tuple[str, str]  # (reason, detail)
Question = Callable[[Manifest, Manifest], Violation | None]  # (metadata, spec)


class Check(NamedTuple):
    """`versions`: (first minor version, question), oldest first. `replaces`: the check that it makes needless."""

    name: str
    level: str
    versions: tuple[tuple[int, Question], ...]
    replaces: str = ""


@lru_cache(maxsize=128)
def questions(level: str, minor: int) -> tuple[Question, ...]:
    """What is asked at that level and version: baseline first, each in order of the checks' names."""
    known = [(check, question) for check in CHECKS for question in _at(check, minor)]
    if level != RESTRICTED:
        return tuple(question for check, question in known if check.level == level)
    replaced = {check.replaces for check, _ in known}
    return tuple(question for check, question in known if check.name not in replaced)


def _at(check: Check, minor: int) -> list[Question]:
    return [question for since, question in check.versions if since <= min(minor, LATEST)][-1:]


# --- words ------------------------------------------------------------------------------------------------------


def _all(spec: Manifest) -> Iterator[Manifest]:
    for part in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(part) or ()


def _context(part: Manifest) -> Manifest:
    return part.get("securityContext") or {}


def _quoted(items: Iterable[str]) -> str:
    return '"' + '", "'.join(items) + '"'


def _plural(word: str, many: Iterable[Any]) -> str:
    return word if len(list(many)) == 1 else f"{word}s"


def _containers(names: list[str]) -> str:
    return f"{_plural('container', names)} {_quoted(names)}"


def _setters(pod: bool, names: list[str]) -> str:
    """Who did it: the pod itself, some containers, or both."""
    return " and ".join([*(["pod"] if pod else []), *([_containers(names)] if names else [])])


def _named(spec: Manifest, bad: Callable[[Manifest], bool]) -> list[str]:
    return [container["name"] for container in _all(spec) if bad(_context(container))]


def _is_windows(spec: Manifest) -> bool:
    return (spec.get("os") or {}).get("name") == "windows"


def _has_own_users(spec: Manifest) -> bool:
    """Root in a user namespace of its own is nobody outside of it."""
    return spec.get("hostUsers") is False


# --- baseline ---------------------------------------------------------------------------------------------------

APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD, SECCOMP = "seccomp.security.alpha.kubernetes.io/pod", "container.seccomp.security.alpha.kubernetes.io/"
PROFILES = ("RuntimeDefault", "Localhost")


def _profile_type(context: Manifest, field: str) -> str | None:
    profile = context.get(field)
    return str(profile.get("type", "")) if profile is not None else None


def _is_bad_profile(context: Manifest, field: str) -> bool:
    return _profile_type(context, field) not in (None, *PROFILES)


def _bad_profiles(spec: Manifest, field: str) -> tuple[bool, list[str], list[str]]:
    """(does the pod set a bad one, containers that do, the bad values)."""
    containers = _named(spec, lambda context: _is_bad_profile(context, field))
    contexts = [_context(spec), *(_context(container) for container in _all(spec))]
    values = {str(_profile_type(c, field)) for c in contexts if _is_bad_profile(c, field)}
    return _is_bad_profile(_context(spec), field), containers, sorted(values)


def _apparmor(metadata: Manifest, spec: Manifest) -> Violation | None:
    pod, containers, values = _bad_profiles(spec, "appArmorProfile")
    setters = [_setters(pod, containers)] if pod or containers else []
    annotations = metadata.get("annotations") or {}
    bad = [
        f'{key}="{value}"'
        for key, value in sorted(annotations.items())
        if key.startswith(APPARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/")
    ]
    if bad:
        setters.append(_plural("annotation", bad))
        values += bad
    if not setters:
        return None
    reason = _plural("forbidden AppArmor profile", values)
    return reason, f"{' and '.join(setters)} must not set AppArmor profile type to {_quoted(values)}"


DEFAULT_CAPABILITIES = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip


def _added(context: Manifest, allowed: tuple[str, ...]) -> list[str]:
    return [c for c in (context.get("capabilities") or {}).get("add") or () if c not in allowed]


def _too_many_added(spec: Manifest, allowed: tuple[str, ...]) -> str:
    """The sentence about capabilities that containers add; empty if all may be added."""
    containers = _named(spec, lambda context: bool(_added(context, allowed)))
    if not containers:
        return ""
    added = sorted({name for container in _all(spec) for name in _added(_context(container), allowed)})
    return f"{_containers(containers)} must not include {_quoted(added)} in securityContext.capabilities.add"


def _capabilities_baseline(metadata: Manifest, spec: Manifest) -> Violation | None:
    said = _too_many_added(spec, DEFAULT_CAPABILITIES)
    return ("non-default capabilities", said) if said else None


def _host_namespaces(metadata: Manifest, spec: Manifest) -> Violation | None:
    shared = [name for name in ("hostIPC", "hostNetwork", "hostPID") if spec.get(name)]
    return ("host namespaces", ", ".join(f"{name}=true" for name in shared)) if shared else None


def _host_path_volumes(metadata: Manifest, spec: Manifest) -> Violation | None:
    bad = [volume["name"] for volume in spec.get("volumes") or () if volume.get("hostPath") is not None]
    return ("hostPath volumes", f"{_plural('volume', bad)} {_quoted(bad)}") if bad else None


def _host_ports(metadata: Manifest, spec: Manifest) -> Violation | None:
    used = {c["name"]: [p["hostPort"] for p in c.get("ports") or () if p.get("hostPort")] for c in _all(spec)}
    bad = [name for name, ports in used.items() if ports]
    if not bad:
        return None
    ports = sorted({str(port) for name in bad for port in used[name]})
    verb = "uses" if len(bad) == 1 else "use"
    return "hostPort", f"{_containers(bad)} {verb} {_plural('hostPort', ports)} {', '.join(ports)}"


def _hosts_of(container: Manifest) -> list[str]:
    lifecycle = container.get("lifecycle") or {}
    handlers = [container.get(probe) or {} for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
    handlers += [lifecycle.get(moment) or {} for moment in ("postStart", "preStop")]
    actions = [handler.get(action) or {} for handler in handlers for action in ("httpGet", "tcpSocket")]
    return [action["host"] for action in actions if action.get("host")]


def _host_probes(metadata: Manifest, spec: Manifest) -> Violation | None:
    asked = {container["name"]: _hosts_of(container) for container in _all(spec)}
    bad = sorted(name for name, hosts in asked.items() if hosts)
    if not bad:
        return None
    hosts = sorted({host for name in bad for host in asked[name]})
    verb = "uses" if len(bad) == 1 else "use"
    said = f"{_containers(bad)} {verb} {_plural('probe or lifecycle host', hosts)} {_quoted(hosts)}"
    return "probe or lifecycle host", said


def _privileged(metadata: Manifest, spec: Manifest) -> Violation | None:
    bad = _named(spec, lambda context: context.get("privileged") is True)
    return ("privileged", f"{_containers(bad)} must not set securityContext.privileged=true") if bad else None


def _proc_mount(metadata: Manifest, spec: Manifest) -> Violation | None:
    bad = _named(spec, lambda context: context.get("procMount") not in (None, "Default"))
    if not bad:
        return None
    kinds = {str(_context(c).get("procMount") or "Default") for c in _all(spec)} - {"Default"}
    return "procMount", f"{_containers(bad)} must not set securityContext.procMount to {_quoted(sorted(kinds))}"


def _proc_mount_135(metadata: Manifest, spec: Manifest) -> Violation | None:
    return None if _has_own_users(spec) else _proc_mount(metadata, spec)


SELINUX = (None, "", "container_t", "container_init_t", "container_kvm_t")
SELINUX_131 = (*SELINUX, "container_engine_t")


def _selinux_with(allowed: tuple[str | None, ...]) -> Question:
    def is_bad(context: Manifest) -> bool:
        options = context.get("seLinuxOptions") or {}
        return options.get("type") not in allowed or bool(options.get("user") or options.get("role"))

    def question(metadata: Manifest, spec: Manifest) -> Violation | None:
        pod, containers = is_bad(_context(spec)), _named(spec, is_bad)
        if not pod and not containers:
            return None
        options = [_context(part).get("seLinuxOptions") or {} for part in (spec, *_all(spec))]
        types, bad = sorted({str(o["type"]) for o in options if o.get("type") not in allowed}), []
        if types:
            bad.append(f"{_plural('type', types)} {_quoted(types)}")
        bad += [f"{name} may not be set" for name in ("user", "role") if any(o.get(name) for o in options)]
        who = _setters(pod, containers)
        return "seLinuxOptions", f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(bad)}"

    return question


def _seccomp_annotations(metadata: Manifest, spec: Manifest) -> Violation | None:
    annotations = metadata.get("annotations") or {}
    keys = [SECCOMP_POD, *(SECCOMP + container["name"] for container in _all(spec))]
    fine = ("runtime/default", "docker/default")
    values = {key: annotations[key] for key in keys if key in annotations}
    bad = sorted(f'{k}="{v}"' for k, v in values.items() if v not in fine and not v.startswith("localhost/"))
    return ("seccompProfile", f"forbidden {_plural('annotation', bad)} {', '.join(bad)}") if bad else None


def _seccomp_baseline(metadata: Manifest, spec: Manifest) -> Violation | None:
    pod, containers, values = _bad_profiles(spec, "seccompProfile")
    if not pod and not containers:
        return None
    who = _setters(pod, containers)
    return "seccompProfile", f"{who} must not set securityContext.seccompProfile.type to {_quoted(values)}"


SYSCTLS = (
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
)  # fmt: skip
SYSCTLS_127 = (*SYSCTLS, "net.ipv4.ip_local_reserved_ports")
SYSCTLS_129 = (
    *SYSCTLS_127, "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
)  # fmt: skip
SYSCTLS_132 = (*SYSCTLS_129, "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem")


def _sysctls_with(allowed: tuple[str, ...]) -> Question:
    def question(metadata: Manifest, spec: Manifest) -> Violation | None:
        bad = [s["name"] for s in _context(spec).get("sysctls") or () if s["name"] not in allowed]
        return ("forbidden sysctls", ", ".join(bad)) if bad else None

    return question


def _is_host_process(context: Manifest) -> bool:
    return (context.get("windowsOptions") or {}).get("hostProcess") is True


def _host_process(metadata: Manifest, spec: Manifest) -> Violation | None:
    who = _setters(_is_host_process(_context(spec)), _named(spec, _is_host_process))
    return ("hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true") if who else None


# --- restricted -------------------------------------------------------------------------------------------------


def _but_for_windows(question: Question) -> Question:
    """What only Linux has is not asked of pods that say that they run on Windows."""
    return lambda metadata, spec: None if _is_windows(spec) else question(metadata, spec)


def _but_for_own_users(question: Question) -> Question:
    return lambda metadata, spec: None if _has_own_users(spec) else question(metadata, spec)


def _escalation(metadata: Manifest, spec: Manifest) -> Violation | None:
    bad = _named(spec, lambda context: context.get("allowPrivilegeEscalation") is not False)
    if not bad:
        return None
    said = f"{_containers(bad)} must set securityContext.allowPrivilegeEscalation=false"
    return "allowPrivilegeEscalation != false", said


def _capabilities_restricted(metadata: Manifest, spec: Manifest) -> Violation | None:
    keep = _named(spec, lambda context: "ALL" not in ((context.get("capabilities") or {}).get("drop") or ()))
    said = [f'{_containers(keep)} must set securityContext.capabilities.drop=["ALL"]'] if keep else []
    if added := _too_many_added(spec, ("NET_BIND_SERVICE",)):
        said.append(added)
    return ("unrestricted capabilities", "; ".join(said)) if said else None


GOOD_VOLUMES = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
)  # fmt: skip


def _volumes(metadata: Manifest, spec: Manifest) -> Violation | None:
    bad = [v for v in spec.get("volumes") or () if not any(v.get(kind) is not None for kind in GOOD_VOLUMES)]
    if not bad:
        return None
    names = [volume["name"] for volume in bad]
    kinds = sorted({next((k for k in v if k != "name" and v[k] is not None), "unknown") for v in bad})
    verb = "uses" if len(names) == 1 else "use"
    said = f"{_plural('volume', names)} {_quoted(names)} {verb} {_plural('restricted volume type', kinds)}"
    return "restricted volume types", f"{said} {_quoted(kinds)}"


def _non_root(metadata: Manifest, spec: Manifest) -> Violation | None:
    reason, whole = "runAsNonRoot != true", _context(spec).get("runAsNonRoot")
    who = _setters(whole is False, _named(spec, lambda context: context.get("runAsNonRoot") is False))
    if who:
        return reason, f"{who} must not set securityContext.runAsNonRoot=false"
    silent = [] if whole else _named(spec, lambda context: context.get("runAsNonRoot") is None)
    return (reason, f"pod or {_containers(silent)} must set securityContext.runAsNonRoot=true") if silent else None


def _root_user(metadata: Manifest, spec: Manifest) -> Violation | None:
    who = _setters(
        _context(spec).get("runAsUser") == 0, _named(spec, lambda context: context.get("runAsUser") == 0)
    )  # fmt: skip
    return ("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


def _seccomp_restricted(metadata: Manifest, spec: Manifest) -> Violation | None:
    if found := _seccomp_baseline(metadata, spec):
        return found
    whole = _context(spec).get("seccompProfile") is not None
    silent = [] if whole else _named(spec, lambda context: context.get("seccompProfile") is None)
    if not silent:
        return None
    said = (
        f'pod or {_containers(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    )
    return "seccompProfile", said


CHECKS = (
    Check("appArmorProfile", BASELINE, ((0, _apparmor),)),
    Check("capabilities_baseline", BASELINE, ((0, _capabilities_baseline),)),
    Check("hostNamespaces", BASELINE, ((0, _host_namespaces),)),
    Check("hostPathVolumes", BASELINE, ((0, _host_path_volumes),)),
    Check("hostPorts", BASELINE, ((0, _host_ports),)),
    Check("hostProbesAndHostLifecycle", BASELINE, ((34, _host_probes),)),
    Check("privileged", BASELINE, ((0, _privileged),)),
    Check("procMount", BASELINE, ((0, _proc_mount), (35, _proc_mount_135))),
    Check("seLinuxOptions", BASELINE, ((0, _selinux_with(SELINUX)), (31, _selinux_with(SELINUX_131)))),
    Check("seccompProfile_baseline", BASELINE, ((0, _seccomp_annotations), (19, _seccomp_baseline))),
    Check(
        "sysctls", BASELINE,
        (
            (0, _sysctls_with(SYSCTLS)), (27, _sysctls_with(SYSCTLS_127)), (29, _sysctls_with(SYSCTLS_129)),
            (32, _sysctls_with(SYSCTLS_132)),
        ),
    ),
    Check("windowsHostProcess", BASELINE, ((0, _host_process),)),
    Check("allowPrivilegeEscalation", RESTRICTED, ((8, _escalation), (25, _but_for_windows(_escalation)))),
    Check(
        "capabilities_restricted", RESTRICTED,
        ((22, _capabilities_restricted), (25, _but_for_windows(_capabilities_restricted))), "capabilities_baseline",
    ),
    Check("restrictedVolumes", RESTRICTED, ((0, _volumes),), "hostPathVolumes"),
    Check("runAsNonRoot", RESTRICTED, ((0, _non_root), (35, _but_for_own_users(_non_root)))),
    Check("runAsUser", RESTRICTED, ((23, _root_user), (35, _but_for_own_users(_root_user)))),
    Check(
        "seccompProfile_restricted", RESTRICTED,
        ((19, _seccomp_restricted), (25, _but_for_windows(_seccomp_restricted))), "seccompProfile_baseline",
    ),
)  # fmt: skip
