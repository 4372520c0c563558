"""What is refused in a pod's spec beyond the recorded cases, in the real words; and that its parts are let through."""

from typing import Any

import pytest

from tests.cluster.apiserver.replay import Api

PODS = "/api/v1/namespaces/shop/pods"
MERGE = "application/merge-patch+json"


def a_pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    app = {"name": "app", "image": "nginx", **(container or {})}
    return {"metadata": {"name": "p"}, "spec": {"containers": [app], **spec}}


def volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


@pytest.fixture(scope="module")
def api() -> Api:
    return Api().with_namespace("shop")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (volume(hostPath={"path": "/a/../b"}), "hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"),
        (volume(hostPath={"path": "/a", "type": "Disk"}), 'spec.volumes[0].hostPath.type: Unsupported value: "Disk"'),
        (volume(secret={}), "spec.volumes[0].secret.secretName: Required value"),
        (
            volume(configMap={"name": "c", "defaultMode": 512}),
            "configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
        ),
        (
            volume(configMap={"name": "c", "items": [{"key": "k", "path": "/etc"}]}),
            'spec.volumes[0].configMap.items[0].path: Invalid value: "/etc": must be a relative path',
        ),
        (volume(persistentVolumeClaim={"claimName": ""}), "persistentVolumeClaim.claimName: Required value"),
        (volume(nfs={"server": "s", "path": "a"}), 'nfs.path: Invalid value: "a": must be an absolute path'),
        (
            volume(projected={"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 5}}]}),
            "expirationSeconds: Invalid value: 5: may not be less than 10 minutes",
        ),
        (volume(downwardAPI={"items": [{"path": "a"}]}), "one of fieldRef and resourceFieldRef is required"),
        (volume(ephemeral={}), "spec.volumes[0].ephemeral.volumeClaimTemplate: Required value"),
        ({"dnsPolicy": "None"}, "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"),
        ({"dnsConfig": {"nameservers": ["x"]}}, 'dnsConfig.nameservers[0]: Invalid value: "x": must be a valid IP'),
        ({"dnsConfig": {"options": [{"value": "5"}]}}, "spec.dnsConfig.options[0]: Required value: must not be empty"),
        ({"hostAliases": [{"ip": "1.2.3", "hostnames": []}]}, 'spec.hostAliases[0].ip: Invalid value: "1.2.3"'),
        ({"hostPID": True, "shareProcessNamespace": True}, "ShareProcessNamespace and HostPID cannot both be enabled"),
        (
            {"securityContext": {"seccompProfile": {"type": "Localhost"}}},
            "seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost",
        ),
        ({"securityContext": {"sysctls": [{"name": "A", "value": "1"}]}}, "must have at most 253 characters and match"),
        (
            {"securityContext": {"fsGroupChangePolicy": "Never"}},
            'fsGroupChangePolicy: Unsupported value: "Never": supported values: "Always", "OnRootMismatch"',
        ),
        ({"os": {"name": "plan9"}}, 'spec.os.name: Unsupported value: "plan9": supported values: "linux", "windows"'),
        ({"resourceClaims": [{"name": "gpu"}]}, "one of: `resourceClaimName`, `resourceClaimTemplateName`"),
        (
            {"initContainers": [{"name": "i", "image": "b", "lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}]},
            "lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always",
        ),
    ],
)  # fmt: skip
def test_a_spec_that_cannot_work_is_refused(api: Api, spec: dict[str, Any], problem: str) -> None:
    status, body = api.ask("POST", PODS, a_pod(**spec))

    assert (status, problem in body["message"]) == (422, True), body["message"]


@pytest.mark.parametrize(
    ("container", "problem"),
    [
        ({"lifecycle": {"postStart": {}}}, "lifecycle.postStart: Required value: must specify a handler type"),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 99}}}}, "lifecycle.preStop.sleep: Invalid value: 99"),
        (
            {"readinessProbe": {"exec": {"command": ["x"]}, "terminationGracePeriodSeconds": 5}},
            "must not be set for readinessProbes",
        ),
        ({"livenessProbe": {"httpGet": {"port": 80, "scheme": "FTP"}}}, 'scheme: Unsupported value: "FTP"'),
        ({"terminationMessagePolicy": "Never"}, 'terminationMessagePolicy: Unsupported value: "Never"'),
        ({"envFrom": [{}]}, "must specify one of: `configMapRef` or `secretRef`"),
        ({"securityContext": {"procMount": "All"}}, 'securityContext.procMount: Unsupported value: "All"'),
        (
            {"securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
            "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        ),
        ({"resources": {"claims": [{"name": "gpu"}]}}, 'spec.containers[0].resources.claims[0].name: Not found: "gpu"'),
        ({"volumeDevices": [{"name": "d", "devicePath": "/dev/x"}]}, 'volumeDevices[0].name: Not found: "d"'),
    ],
)  # fmt: skip
def test_a_container_that_cannot_work_is_refused(api: Api, container: dict[str, Any], problem: str) -> None:
    status, body = api.ask("POST", PODS, a_pod(container))

    assert (status, problem in body["message"]) == (422, True), body["message"]


def test_a_mount_has_one_way_to_say_its_inner_path(api: Api) -> None:
    mount = {"name": "v", "mountPath": "/v", "subPath": "a", "subPathExpr": "b"}

    status, body = api.ask("POST", PODS, a_pod({"volumeMounts": [mount]}, **volume(emptyDir={})))

    assert (status, "subPathExpr and subPath are mutually exclusive" in body["message"]) == (422, True)


def test_a_pod_that_uses_everything_is_taken() -> None:
    api = Api().with_namespace("shop")
    sources = [
        {"name": "a", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "b", "hostPath": {"path": "/var", "type": "Directory"}},
        {"name": "c", "configMap": {"name": "c", "items": [{"key": "k", "path": "k"}]}},
        {"name": "d", "ephemeral": {"volumeClaimTemplate": {"spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}},
        {"name": "e", "image": {"reference": "quay.io/x"}},
    ]  # fmt: skip
    container = {
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "livenessProbe": {"httpGet": {"port": "http"}, "terminationGracePeriodSeconds": 5},
        "envFrom": [{"prefix": "A_", "configMapRef": {"name": "c"}}],
        "resources": {"claims": [{"name": "gpu"}]},
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 1000},
    }
    spec = {
        "volumes": sources,
        "resourceClaims": [{"name": "gpu", "resourceClaimName": "one"}],
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["10.0.0.2"], "searches": ["shop.example."], "options": [{"name": "ndots"}]},
        "hostAliases": [{"ip": "10.0.0.3", "hostnames": ["db.example"]}],
        "securityContext": {"sysctls": [{"name": "net.ipv4.ip_forward", "value": "1"}], "fsGroup": 5},
        "readinessGates": [{"conditionType": "example.com/ok"}],
    }

    status, body = api.ask("POST", PODS, a_pod(container, **spec))

    assert status == 201, body["message"]


def test_a_pod_behind_a_gate_may_become_choosier_but_not_less_so() -> None:
    api = Api().with_namespace("shop")
    api.ask("POST", PODS, a_pod(schedulingGates=[{"name": "a.b/c"}], nodeSelector={"disk": "ssd"}))

    more, _ = api.ask("PATCH", f"{PODS}/p", {"spec": {"nodeSelector": {"zone": "a"}}}, MERGE)
    less, body = api.ask("PATCH", f"{PODS}/p", {"spec": {"nodeSelector": {"disk": None}}}, MERGE)

    assert (more, less) == (200, 422)
    assert "only additions are allowed to spec.nodeSelector" in body["message"]
