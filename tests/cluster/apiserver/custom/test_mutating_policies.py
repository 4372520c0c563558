"""MutatingAdmissionPolicies: what administrators add to other people's requests."""

import pytest

from tests.builders import Refused, TestCluster, a_cluster, a_deployment, a_pod
from tests.cluster.apiserver.custom.definitions import a_crontab, a_crontab_definition

GROUP = "admissionregistration.k8s.io/v1"


def rules(group="apps", plural="deployments"):
    return {"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": [plural]}


def applied(expression):
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patched(expression):
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


def a_policy(*mutations, name="labels.example.com", about=None, **spec):
    constraints = {"matchConstraints": {"resourceRules": [about or rules()]}}
    return {"apiVersion": GROUP, "kind": "MutatingAdmissionPolicy", "metadata": {"name": name},
            "spec": {**constraints, "reinvocationPolicy": "Never", "mutations": list(mutations), **spec}}  # fmt: skip


def a_binding(policy="labels.example.com", name="here", **spec):
    return {"apiVersion": GROUP, "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": name},
            "spec": {"policyName": policy, **spec}}  # fmt: skip


def with_policy(*objects) -> TestCluster:
    return a_cluster(nodes=0).with_objects(*objects).run_for(1)


def test_a_configuration_is_laid_over_the_object():
    expression = (
        "Object{metadata: Object.metadata{labels: {'team': object.metadata.name}},"
        " spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{"
        "containers: [Object.spec.template.spec.containers{name: 'app', imagePullPolicy: 'Always'}]}}}}"
    )
    cluster = with_policy(a_policy(applied(expression)), a_binding())

    made = cluster.create(a_deployment("web"))

    assert made["metadata"]["labels"] == {"team": "web"}
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert (container["name"], container["imagePullPolicy"], container["image"]) == ("app", "Always", "nginx:1.27")


def test_a_patch_is_applied_with_parameters_and_conditions():
    expression = (
        "[JSONPatch{op: 'add', path: '/metadata/labels', value: {}},"
        " JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('example.com/zone'),"
        " value: params.data.zone}]"
    )
    about = rules("stable.example.com", "crontabs")
    policy = a_policy(
        patched(expression), about=about, paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        matchConditions=[{"name": "mine", "expression": "object.spec.image != 'skip'"}],
    )  # fmt: skip
    reference = {"name": "zones", "namespace": "default", "parameterNotFoundAction": "Deny"}
    zones = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "zones"}, "data": {"zone": "north"}}
    cluster = with_policy(zones, a_crontab_definition(), policy, a_binding(paramRef=reference))

    assert cluster.create(a_crontab("one"))["metadata"]["labels"] == {"example.com/zone": "north"}
    assert "labels" not in cluster.create(a_crontab("two", image="skip"))["metadata"]


def test_a_policy_is_asked_again_when_a_later_one_changed_something():
    copy = "Object{metadata: Object.metadata{annotations: {'seen': object.metadata.?labels.?late.orValue('no')}}}"
    late = "Object{metadata: Object.metadata{labels: {'late': 'yes'}}}"
    first = a_policy(applied(copy), reinvocationPolicy="IfNeeded")
    second = a_policy(applied(late), name="late.example.com")
    cluster = with_policy(first, second, a_binding(), a_binding("late.example.com", "there"))

    assert cluster.create(a_deployment("web"))["metadata"]["annotations"] == {"seen": "yes"}


@pytest.mark.parametrize(
    ("mutation", "told"),
    [
        (applied("Object{spec: Object.spec{nothing: object.spec.zz}}"), "no such key: zz"),
        (patched("[JSONPatch{op: 'remove', path: '/spec/zz'}]"), "the server rejected our request"),
        (applied("Object{kind: 'Other'}"), "a policy may not change kind"),
    ],
)
def test_what_fails_is_refused_or_left_out_as_the_policy_says(mutation, told):
    for policy, passes in (("Fail", False), ("Ignore", True)):
        cluster = with_policy(a_policy(mutation, failurePolicy=policy), a_binding())
        if passes:
            assert cluster.create(a_deployment("web"))
            continue
        with pytest.raises(Refused) as refused:
            cluster.create(a_deployment("web"))
        assert told in refused.value.body["message"]
        assert "policy 'labels.example.com' with binding 'here' denied request" in refused.value.body["message"]


def test_atomic_parts_are_not_touched():
    command = "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'app', command: ['x']}]}}"
    cluster = with_policy(a_policy(applied(command), about=rules("", "pods")), a_binding())
    with pytest.raises(Refused) as refused:
        cluster.create(a_pod("one", command=["sleep", "1"]))
    assert "may not mutate atomic arrays, maps or structs: .spec.containers" in refused.value.body["message"]


def test_a_wrong_mutation_is_refused_with_its_policy():
    with pytest.raises(Refused) as refused:
        with_policy(a_policy(patched("[JSONPatch{oops: 1}]"), applied("Other{}")))
    told = [(cause["field"], cause["message"]) for cause in refused.value.body["details"]["causes"]]
    assert told[0][0] == "spec.mutations[0].jsonPatch.expression"
    assert "undefined field 'oops'" in told[0][1]
    assert "undeclared reference to 'Other'" in told[1][1]
