"""Kinds of the smaller groups: what they refuse, what their sub-resources may change, what the server adds."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cluster.apiserver.replay import Api

CERTIFICATES, FLOWS = "/apis/certificates.k8s.io/v1", "/apis/flowcontrol.apiserver.k8s.io/v1"
HOOKS = "/apis/admissionregistration.k8s.io/v1"
REQUESTS, DEVICES = f"{CERTIFICATES}/certificatesigningrequests", "/apis/resource.k8s.io/v1"


def causes(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(cause["field"], cause["message"]) for cause in body["details"]["causes"]]


# --- core ------------------------------------------------------------------------------------------------------


def test_a_gated_pod_says_from_the_beginning_why_it_waits() -> None:
    api = Api().with_namespace("default")
    spec = {"containers": [{"name": "c", "image": "nginx"}], "schedulingGates": [{"name": "x.io/later"}]}

    _, pod = api.ask("POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}, "spec": spec})

    (condition,) = pod["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "SchedulingGated")


def test_a_binding_may_be_posted_as_it_was_before_there_were_sub_resources() -> None:
    api = Api().with_namespace("default")
    spec = {"containers": [{"name": "c", "image": "nginx"}]}
    api.ask("POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}, "spec": spec})
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "w-1"}}

    status, _ = api.ask("POST", "/api/v1/namespaces/default/bindings", binding)
    again, refused = api.ask("POST", "/api/v1/namespaces/default/bindings", binding)

    assert (status, api.read("Pod", "default", "p")["spec"]["nodeName"]) == (201, "w-1")
    assert (again, refused["reason"]) == (409, "Conflict")


# --- policy, scheduling, coordination, discovery, events --------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "where", "message"),
    [
        (
            {"metadata": {"name": "system-node-critical"}, "value": 1},
            "metadata.name",
            "Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: value of"
            " system-node-critical PriorityClass must be 2000001000",
        ),
        (
            {"metadata": {"name": "p"}, "value": 1, "preemptionPolicy": "Always"},
            "preemptionPolicy",
            'Unsupported value: "Always": supported values: "PreemptLowerPriority", "Never"',
        ),
    ],
)
def test_a_priority_class_is_checked(entry: dict[str, Any], where: str, message: str) -> None:
    status, refused = Api().ask("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", entry)

    assert (status, causes(refused)) == (422, [(where, message)])


def test_the_generation_of_a_priority_class_stays() -> None:
    api, classes = Api(), "/apis/scheduling.k8s.io/v1/priorityclasses"
    api.ask("POST", classes, {"metadata": {"name": "p"}, "value": 1})

    _, changed = api.ask("PATCH", f"{classes}/p", {"description": "new"}, "application/merge-patch+json")

    assert (changed["description"], changed["metadata"]["generation"]) == ("new", 1)


def test_the_generation_of_a_slice_counts_its_labels() -> None:
    api = Api().with_namespace("default")
    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    api.ask("POST", slices, {"metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": []})

    labels = {"metadata": {"labels": {"a": "b"}}}
    _, changed = api.ask("PATCH", f"{slices}/s", labels, "application/merge-patch+json")

    assert changed["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("piece", "where", "message"),
    [
        (
            {"endpoints": [{"addresses": ["127.0.0.1"]}]},
            "endpoints[0].addresses[0]",
            'Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        ),
        (
            {"endpoints": [{"addresses": ["fd00::1"]}]},
            "endpoints[0].addresses",
            'Invalid value: "fd00::1": must be an IPv4 address',
        ),
        ({"ports": [{"port": 1}, {"port": 2}]}, "ports[1].name", 'Duplicate value: ""'),
        (
            {"ports": [{"port": 1, "protocol": "ICMP"}]},
            "ports[0].protocol",
            'Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
        ),
    ],
)
def test_a_slice_is_checked(piece: dict[str, Any], where: str, message: str) -> None:
    body = {"metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": [], **piece}

    status, refused = (
        Api().with_namespace("default").ask("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", body)
    )

    assert (status, causes(refused)) == (422, [(where, message)])


def test_a_budget_knows_two_policies_for_unready_pods() -> None:
    spec = {"minAvailable": 1, "unhealthyPodEvictionPolicy": "Never"}

    _, refused = (
        Api()
        .with_namespace("default")
        .ask(
            "POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", {"metadata": {"name": "b"}, "spec": spec}
        )
    )

    message = 'Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget"'
    assert causes(refused) == [("spec.unhealthyPodEvictionPolicy", message)]


def test_the_new_group_of_events_asks_for_everything_that_is_new_about_them() -> None:
    api, old = Api().with_namespace("default"), "/api/v1/namespaces/default/events"
    about = {"kind": "Pod", "name": "p", "namespace": "default"}

    status, _ = api.ask("POST", old, {"metadata": {"name": "e"}, "involvedObject": about, "reason": "R"})
    event = {"metadata": {"name": "f"}, "regarding": about, "reason": "R", "deprecatedCount": 1}
    _, refused = api.ask("POST", "/apis/events.k8s.io/v1/namespaces/default/events", event)

    assert status == 201
    assert causes(refused) == [
        ("eventTime", "Required value"),
        ("type", 'Invalid value: "": has invalid value: '),
        ("count", 'Invalid value: "": needs to be unset'),
    ]


# --- certificates -----------------------------------------------------------------------------------------------


def a_signing_request(**spec: Any) -> dict[str, Any]:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    encoded = base64.b64encode(pem.public_bytes(serialization.Encoding.PEM)).decode()
    asked = {"request": encoded, "signerName": "example.com/s", "usages": ["client auth"]}
    return {"metadata": {"name": "jane"}, "spec": {**asked, **spec}}


def approved(request: dict[str, Any], kind: str = "Approved") -> dict[str, Any]:
    condition = {"type": kind, "status": "True", "reason": "KubectlApprove", "message": "by kubectl"}
    return {**request, "status": {"conditions": [condition]}}


def test_an_approval_changes_the_conditions_and_nothing_else() -> None:
    api = Api()
    _, request = api.ask("POST", REQUESTS, a_signing_request())
    asked = approved(request)
    asked["spec"] = {**request["spec"], "signerName": "example.com/other"}

    status, done = api.ask("PUT", f"{REQUESTS}/jane/approval", asked)

    assert (status, done["spec"]) == (200, request["spec"])
    (condition,) = done["status"]["conditions"]
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"] == request["metadata"]["creationTimestamp"]


def test_only_the_approval_may_approve() -> None:
    api = Api()
    _, request = api.ask("POST", REQUESTS, a_signing_request())

    status, refused = api.ask("PUT", f"{REQUESTS}/jane/status", approved(request))

    message = 'Forbidden: updates may not add a condition of type "Approved"'
    assert (status, causes(refused)) == (422, [("status.conditions", message)])


def test_a_verdict_is_never_taken_back_nor_joined_by_its_opposite() -> None:
    api = Api()
    _, request = api.ask("POST", REQUESTS, a_signing_request())
    _, request = api.ask("PUT", f"{REQUESTS}/jane/approval", approved(request))
    both = request["status"]["conditions"] + approved(request, "Denied")["status"]["conditions"]

    _, removed = api.ask("PUT", f"{REQUESTS}/jane/approval", {**request, "status": {"conditions": []}})
    _, joined = api.ask("PUT", f"{REQUESTS}/jane/approval", {**request, "status": {"conditions": both}})

    assert causes(removed) == [
        ("status.conditions", 'Forbidden: updates may not remove a condition of type "Approved"'),
    ]
    (where, exclusive), *more = causes(joined)
    assert (where, more) == ("status.conditions", [])
    assert exclusive.endswith('at most one of: `conditions[{"type": "Approved"}]`, `conditions[{"type": "Denied"}]`')


def test_a_plain_update_of_a_signing_request_keeps_what_was_asked_for() -> None:
    api = Api()
    _, request = api.ask("POST", REQUESTS, a_signing_request())
    changed = {**request, "metadata": {**request["metadata"], "labels": {"a": "b"}}}
    changed["spec"] = {**request["spec"], "usages": ["server auth"]}

    _, done = api.ask("PUT", f"{REQUESTS}/jane", changed)

    assert (done["spec"], done["metadata"]["labels"]) == (request["spec"], {"a": "b"})


@pytest.mark.parametrize(
    ("spec", "where", "message"),
    [
        ({"request": "Zm9v"}, "spec.request", 'Invalid value: "Zm9v": PEM block type must be CERTIFICATE REQUEST'),
        ({"usages": []}, "spec.usages", "Required value"),
        ({"usages": ["client auth", "client auth"]}, "spec.usages[1]", 'Duplicate value: "client auth"'),
        ({"signerName": ""}, "spec.signerName", "Required value"),
        (
            {"signerName": "example.com"},
            "spec.signerName",
            'Invalid value: "example.com": must be a fully qualified domain and path of the form'
            " 'example.com/signer-name'",
        ),
        (
            {"expirationSeconds": 5},
            "spec.expirationSeconds",
            "Invalid value: 5: may not specify a duration less than 600 seconds (10 minutes)",
        ),
    ],
)
def test_a_signing_request_is_checked(spec: dict[str, Any], where: str, message: str) -> None:
    status, refused = Api().ask("POST", REQUESTS, a_signing_request(**spec))

    assert (status, causes(refused)) == (422, [(where, message)])


def test_a_bundle_of_a_signer_carries_its_name() -> None:
    bundle = {"metadata": {"name": "mine"}, "spec": {"signerName": "example.com/s", "trustBundle": ""}}

    status, refused = Api().ask("POST", f"{CERTIFICATES}/clustertrustbundles", bundle)

    named = "ClusterTrustBundle for signerName example.com/s must be named with prefix example.com:s:"
    assert (status, causes(refused)) == (
        422,
        [
            ("metadata.name", f'Invalid value: "mine": {named}'),
            ("spec.trustBundle", 'Invalid value: "<value omitted>": at least one trust anchor must be provided'),
        ],
    )


# --- flow control, API services ---------------------------------------------------------------------------------


def test_the_fixed_schemas_can_not_be_anything_else() -> None:
    spec = {"priorityLevelConfiguration": {"name": "exempt"}, "matchingPrecedence": 2}

    status, refused = Api().ask("POST", f"{FLOWS}/flowschemas", {"metadata": {"name": "exempt"}, "spec": spec})

    assert status == 422
    assert refused["message"].endswith("spec of 'exempt' must equal the fixed value")


def test_a_priority_level_is_completed_and_its_hand_may_not_be_larger_than_its_deck() -> None:
    api = Api()
    queue = {"type": "Queue", "queuing": {"queues": 4}}
    level = {"metadata": {"name": "mine"}, "spec": {"type": "Limited", "limited": {"limitResponse": queue}}}

    _, refused = api.ask("POST", f"{FLOWS}/prioritylevelconfigurations", level)
    queue["queuing"] = {"queues": 16, "handSize": 2}
    _, made = api.ask("POST", f"{FLOWS}/prioritylevelconfigurations", level)

    where = "spec.limited.limitResponse.queuing.handSize"
    assert causes(refused) == [(where, "Invalid value: 8: should not be greater than queues (4)")]
    assert made["spec"]["limited"]["nominalConcurrencyShares"] == 30
    assert made["spec"]["limited"]["limitResponse"]["queuing"]["queueLengthLimit"] == 50


def test_a_local_api_service_is_available_at_once() -> None:
    spec = {"group": "x.io", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10}
    entry = {"metadata": {"name": "v1.x.io"}, "spec": spec}

    _, made = Api().ask("POST", "/apis/apiregistration.k8s.io/v1/apiservices", entry)

    (condition,) = made["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Available", "True", "Local")


def test_an_api_service_is_named_by_its_version_and_group() -> None:
    spec = {"group": "x.io", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10}

    _, refused = Api().ask(
        "POST", "/apis/apiregistration.k8s.io/v1/apiservices", {"metadata": {"name": "x"}, "spec": spec}
    )

    message = 'Invalid value: "x": must be `spec.version+"."+spec.group`: "v1.x.io"'
    assert causes(refused) == [("metadata.name", message)]


# --- admission --------------------------------------------------------------------------------------------------


def a_hook(**changes: Any) -> dict[str, Any]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    hook = {"name": "a.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "rules": [rule]}
    client = {"clientConfig": {"url": "https://x.example.com"}}
    return {"metadata": {"name": "h"}, "webhooks": [{**hook, **client, **changes}]}


def test_a_mutating_webhook_gets_everything_that_it_left_out() -> None:
    changes = {"clientConfig": {"service": {"namespace": "a", "name": "b"}}}

    status, made = Api().ask("POST", f"{HOOKS}/mutatingwebhookconfigurations", a_hook(**changes))

    (hook,) = made["webhooks"]
    assert (status, hook["reinvocationPolicy"], hook["clientConfig"]["service"]["port"]) == (201, "Never", 443)
    assert hook["rules"][0]["scope"] == "*"


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"name": ""}, "name", "Required value"),
        (
            {"name": "a"},
            "name",
            'Invalid value: "a": should be a domain with at least three segments separated by dots',
        ),
        ({"sideEffects": "Some"}, "sideEffects", 'Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'),
        (
            {"timeoutSeconds": 31},
            "timeoutSeconds",
            "Invalid value: 31: the timeout value must be between 1 and 30 seconds",
        ),
        ({"clientConfig": {}}, "clientConfig", "Required value: exactly one of url or service is required"),
        (
            {"clientConfig": {"url": "http://x"}},
            "clientConfig.url",
            "Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
        ),
        (
            {"admissionReviewVersions": ["v9"]},
            "admissionReviewVersions",
            'Invalid value: ["v9"]: must include at least one of v1, v1beta1',
        ),
    ],
)
def test_a_webhook_is_checked(changes: dict[str, Any], where: str, message: str) -> None:
    status, refused = Api().ask("POST", f"{HOOKS}/validatingwebhookconfigurations", a_hook(**changes))

    assert (status, causes(refused)) == (422, [(f"webhooks[0].{where}", message)])


def test_a_replacement_without_a_version_is_refused_where_nobody_may_overwrite_blindly() -> None:
    api = Api()
    api.ask("POST", f"{HOOKS}/validatingwebhookconfigurations", a_hook())

    status, refused = api.ask("PUT", f"{HOOKS}/validatingwebhookconfigurations/h", a_hook())

    assert (status, refused["message"]) == (
        422,
        'validatingwebhookconfigurations.admissionregistration.k8s.io "h" is invalid: metadata.resourceVersion:'
        " Invalid value: 0: must be specified for an update",
    )


def test_a_policy_must_match_and_judge_something() -> None:
    _, refused = Api().ask("POST", f"{HOOKS}/validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": {}})

    missing = "Required value: validations or auditAnnotations must contain at least one item"
    assert causes(refused) == [
        ("spec.matchConstraints", "Required value"), ("spec.validations", missing), ("spec.auditAnnotations", missing),
    ]  # fmt: skip


# --- fields that stay -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "entry", "change", "where", "shown"),
    [
        (
            "/apis/storage.k8s.io/v1/storageclasses",
            {"provisioner": "x.io/p"},
            {"provisioner": "x.io/q"},
            "provisioner",
            "null",
        ),
        ("/apis/node.k8s.io/v1/runtimeclasses", {"handler": "a"}, {"handler": "b"}, "handler", "null"),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            {"roleRef": {"kind": "ClusterRole", "name": "view"}},
            {"roleRef": {"name": "edit"}},
            "roleRef",
            '{"APIGroup":"rbac.authorization.k8s.io","Kind":"ClusterRole","Name":"edit"}',
        ),
        (
            "/apis/networking.k8s.io/v1/servicecidrs",
            {"spec": {"cidrs": ["10.0.0.0/24"]}},
            {"spec": {"cidrs": ["10.0.1.0/24"]}},
            "spec.cidrs[0]",
            '"10.0.1.0/24"',
        ),
        (
            "/apis/networking.k8s.io/v1/ingressclasses",
            {"spec": {"controller": "x.io/a"}},
            {"spec": {"controller": "x.io/b"}},
            "spec.controller",
            '"x.io/b"',
        ),
    ],
)
def test_what_is_fixed_stays(path: str, entry: dict[str, Any], change: Any, where: str, shown: str) -> None:
    api = Api()
    _, made = api.ask("POST", path, {"metadata": {"name": "one"}, **entry})

    status, refused = api.ask("PATCH", f"{path}/one", change, "application/merge-patch+json")

    assert "code" not in made, made
    assert (status, causes(refused)) == (422, [(where, f"Invalid value: {shown}: field is immutable")])


# --- devices ----------------------------------------------------------------------------------------------------


def test_a_claim_asks_for_one_device_unless_it_says_more_and_never_changes() -> None:
    api = Api().with_namespace("default")
    claims = f"{DEVICES}/namespaces/default/resourceclaims"
    spec = {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpus"}}]}}

    _, made = api.ask("POST", claims, {"metadata": {"name": "c"}, "spec": spec})
    status, refused = api.ask("PATCH", f"{claims}/c", {"spec": {"devices": None}}, "application/merge-patch+json")

    (request,) = made["spec"]["devices"]["requests"]
    assert request["exactly"] == {"deviceClassName": "gpus", "allocationMode": "ExactCount", "count": 1}
    assert (status, causes(refused)) == (422, [("spec", "Invalid value: null: field is immutable")])


def test_a_taint_tells_since_when_it_has_its_effect() -> None:
    taint = {"key": "broken", "effect": "NoSchedule"}

    _, made = Api().ask("POST", f"{DEVICES}/devicetaintrules", {"metadata": {"name": "t"}, "spec": {"taint": taint}})

    assert made["spec"]["taint"]["timeAdded"] == made["metadata"]["creationTimestamp"]
