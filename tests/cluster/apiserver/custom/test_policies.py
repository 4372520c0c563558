"""ValidatingAdmissionPolicies: rules in CEL about any request, as a real cluster's administrators write them."""

import json

import pytest

from cluster.objects import meta
from tests.builders import Refused, TestCluster, a_cluster, a_deployment
from tests.cluster.apiserver.custom.definitions import a_crontab, a_crontab_definition

GROUP = "admissionregistration.k8s.io/v1"
DEPLOYMENTS = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
               "resources": ["deployments"]}  # fmt: skip


def a_policy(*validations, name="replicas.example.com", rules=DEPLOYMENTS, **spec):
    constraints = {"matchConstraints": {"resourceRules": [rules]}}
    listed = [{"expression": each} if isinstance(each, str) else each for each in validations]
    return {"apiVersion": GROUP, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
            "spec": {**constraints, "validations": listed, **spec}}  # fmt: skip


def a_binding(policy="replicas.example.com", actions=("Deny",), **spec):
    body = {"policyName": policy, "validationActions": list(actions), **spec}
    return {"apiVersion": GROUP, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "here"}, "spec": body}


def with_policy(*objects) -> TestCluster:
    return a_cluster(nodes=0).with_objects(*objects).run_for(1)


def refusal(call, *arguments) -> tuple[int, dict]:
    with pytest.raises(Refused) as refused:
        call(*arguments)
    return refused.value.status, refused.value.body


def test_a_policy_with_a_binding_denies_in_the_real_words():
    cluster = with_policy(a_policy("object.spec.replicas <= 5"), a_binding())

    status, body = refusal(cluster.create, a_deployment("web", replicas=6))

    told = (
        "ValidatingAdmissionPolicy 'replicas.example.com' with binding 'here' denied request:"
        " failed expression: object.spec.replicas <= 5"
    )
    assert (status, body["reason"]) == (422, "Invalid")
    assert body["message"] == f'deployments.apps "web" is forbidden: {told}'
    assert body["details"]["causes"] == [{"message": told}]
    assert cluster.create(a_deployment("web", replicas=5))
    assert refusal(cluster.scale, a_deployment("web"), 9)[0] == 422


def test_a_policy_without_a_binding_does_nothing():
    assert with_policy(a_policy("false")).create(a_deployment("web"))


def test_a_warning_lets_pass_and_says_so():
    cluster = with_policy(a_policy("false"), a_binding(actions=("Warn", "Audit")))
    request = {"type": "api", "method": "POST", "path": "/apis/apps/v1/namespaces/default/deployments", "query": ""}

    body = json.dumps(a_deployment("web"))
    answer = cluster.world.execute("x", {**request, "headers": {"content-type": "application/json"}, "body": body})

    assert answer.status == 201
    assert "Validation failed for ValidatingAdmissionPolicy 'replicas.example.com'" in answer.headers["Warning"]


def test_variables_messages_and_reasons():
    cluster = with_policy(
        a_policy(
            {"expression": "variables.big", "messageExpression": "'only ' + string(variables.count)",
             "reason": "Forbidden"},
            variables=[{"name": "count", "expression": "object.spec.replicas"},
                       {"name": "big", "expression": "variables.count > 2"}],
            matchConditions=[{"name": "not-mine", "expression": "object.metadata.name != 'mine'"}],
        ),
        a_binding(),
    )  # fmt: skip

    status, body = refusal(cluster.create, a_deployment("web", replicas=1))
    assert (status, body["reason"]) == (403, "Forbidden")
    assert body["message"].endswith("denied request: only 1")
    assert cluster.create(a_deployment("mine", replicas=1))


@pytest.mark.parametrize(("policy", "passes"), [("Fail", False), ("Ignore", True)])
def test_an_error_counts_as_the_failure_policy_says(policy, passes):
    cluster = with_policy(a_policy("object.spec.nothing == 1", failurePolicy=policy), a_binding())
    if passes:
        assert cluster.create(a_deployment("web"))
    else:
        message = refusal(cluster.create, a_deployment("web"))[1]["message"]
        assert message.endswith("expression 'object.spec.nothing == 1' resulted in error: no such key: nothing")


def test_parameters_are_objects_of_any_kind():
    kind = {"apiVersion": "stable.example.com/v1", "kind": "CronTab"}
    cluster = with_policy(
        a_crontab_definition(),
        a_policy("object.spec.replicas <= params.spec.replicas", paramKind=kind),
        a_binding(paramRef={"name": "limit", "namespace": "default", "parameterNotFoundAction": "Deny"}),
    )

    message = refusal(cluster.create, a_deployment("web"))[1]["message"]
    assert "no params found for policy binding with `Deny` parameterNotFoundAction" in message
    cluster.create(a_crontab("limit", replicas=2))
    assert refusal(cluster.create, a_deployment("web", replicas=3))[0] == 422
    assert cluster.create(a_deployment("web", replicas=2))


def test_policies_judge_custom_objects_deletions_and_namespaces():
    rules = {"apiGroups": ["stable.example.com"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    cluster = with_policy(
        a_crontab_definition(),
        a_policy("request.operation != 'DELETE' || oldObject.spec.image != 'kept'", rules=rules),
        a_binding(matchResources={"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}),
    )
    cluster.create(a_crontab("one", image="kept"))

    assert refusal(cluster.delete, a_crontab("one"))[0] == 422
    cluster.patch(a_crontab("one"), {"spec": {"image": "other"}})
    assert cluster.delete(a_crontab("one"))


def test_the_request_and_the_authorizer_can_be_asked():
    cluster = with_policy(
        a_policy(
            "request.userInfo.username == 'system:admin' && request.namespace == 'default'",
            "authorizer.group('apps').resource('deployments').namespace('default').check('create').allowed()",
            "authorizer.requestResource.check('delete').allowed()",
            "!authorizer.serviceAccount('default', 'default').path('/healthz').check('post').allowed()",
            "namespaceObject.metadata.name == 'default'",
        ),
        a_binding(),
    )
    assert cluster.create(a_deployment("web"))


def test_an_expression_that_does_not_compile_is_refused_with_its_policy():
    status, body = refusal(a_cluster(nodes=0).create, a_policy("object.x +", "variables.none == 1", "1"))

    told = [(cause["field"], cause["message"]) for cause in body["details"]["causes"]]
    assert status == 422
    assert told[0][0] == "spec.validations[0].expression"
    assert told[0][1].startswith('Invalid value: "object.x +": compilation failed: ERROR: <input>:1:11: Syntax error')
    assert "undefined field 'none'" in told[1][1]
    assert told[2][1].endswith("must evaluate to bool")


def test_a_policy_cannot_lock_out_its_own_end():
    rules = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    cluster = with_policy(a_policy("false", rules=rules), a_binding())

    assert refusal(cluster.create, a_deployment("web"))[0] == 422
    cluster.delete(a_binding())
    assert meta.name(cluster.create(a_deployment("web"))) == "web"
