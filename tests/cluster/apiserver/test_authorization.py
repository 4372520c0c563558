"""Who may what, asked inside the world: rules, bindings, and that nobody grants what they don't have."""

import pytest

from cluster.apiserver.authorization import defaults
from tests.builders import Refused, a_cluster, a_pod

RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(scope="module")
def cluster():
    return a_cluster(nodes=1)


def a_role(name, verbs, resources, groups=("",), namespace="default", **more):
    rule = {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs), **more}
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "rules": [rule]}


def a_binding(name, role, *subjects, kind="Role", namespace="default"):
    """`subjects`: `alice`, `group:dev` or `account:default:bot`."""
    listed = []
    for subject in subjects:
        what, _, rest = subject.rpartition(":") if subject.startswith("group:") else ("", "", subject)
        if subject.startswith("account:"):
            _, where, account = subject.split(":")
            listed.append({"kind": "ServiceAccount", "name": account, "namespace": where})
        else:
            listed.append({"apiGroup": RBAC, "kind": "Group" if what else "User", "name": rest})
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding" if namespace else "ClusterRoleBinding"}
    return {
        **binding,
        "metadata": metadata,
        "subjects": listed,
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
    }


def a_map(name):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


def patch_refusal(cluster, path):
    return refusal(cluster.request, "PATCH", path, {}, content_type="application/merge-patch+json")


def refusal(action, *arguments, **named):
    with pytest.raises(Refused) as refused:
        action(*arguments, **named)
    return refused.value.body["message"]


def test_nobody_may_anything_until_a_binding_says_so(cluster):
    alice = cluster.acting_as("alice", "dev")

    assert refusal(alice.create, a_map("q")) == (
        'configmaps is forbidden: User "alice" cannot create resource "configmaps" in API group ""'
        ' in the namespace "default"'
    )
    assert patch_refusal(alice, "/api/v1/namespaces/default/pods/x/status") == (
        'pods "x" is forbidden: User "alice" cannot patch resource "pods/status" in API group ""'
        ' in the namespace "default"'
    )
    assert refusal(alice.request, "DELETE", "/api/v1/namespaces/default/secrets") == (
        'secrets is forbidden: User "alice" cannot deletecollection resource "secrets" in API group ""'
        ' in the namespace "default"'
    )


def test_a_role_binding_counts_in_its_namespace_and_at_once():
    cluster = a_cluster(nodes=0)
    alice = cluster.acting_as("alice", "dev")
    cluster.create(a_role("maps", ["create", "delete"], ["configmaps"]))
    binding = cluster.create(a_binding("devs", "maps", "group:dev"))

    alice.create(a_map("mine"))
    elsewhere = {**a_map("theirs"), "metadata": {"name": "theirs", "namespace": "kube-public"}}
    assert "in the namespace" in refusal(alice.create, elsewhere)

    cluster.delete(binding)
    assert "cannot delete" in refusal(alice.delete, a_map("mine"))


def test_resource_names_subresources_and_wildcards_are_told_apart(cluster):
    cluster.create(a_role("one", ["patch"], ["configmaps"], resourceNames=["settings"]))
    cluster.create(a_role("scaler", ["patch"], ["*/scale"], groups=["*"]))
    cluster.create(a_binding("carol", "one", "carol"))
    cluster.create(a_binding("carol-scales", "scaler", "carol"))
    carol = cluster.acting_as("carol")
    at = "/apis/apps/v1/namespaces/default/deployments/none"

    assert "not found" in patch_refusal(carol, "/api/v1/namespaces/default/configmaps/settings")
    assert "forbidden" in patch_refusal(carol, "/api/v1/namespaces/default/configmaps/others")
    assert "not found" in patch_refusal(carol, f"{at}/scale")
    assert "forbidden" in patch_refusal(carol, at)


def test_a_binding_to_a_missing_role_says_so_in_the_refusal(cluster):
    cluster.create(a_binding("lost", "ghost", "dave"))

    assert refusal(cluster.acting_as("dave").create, a_map("q")).endswith(
        'in the namespace "default": RBAC: role.rbac.authorization.k8s.io "ghost" not found'
    )


def test_a_service_account_is_a_user_with_the_groups_of_its_namespace(cluster):
    cluster.create(a_binding("bots", "edit", "account:default:bot", kind="ClusterRole"))
    bot = cluster.acting_as("system:serviceaccount:default:bot", "system:serviceaccounts")

    assert bot.create(a_map("by-a-bot"))["metadata"]["name"] == "by-a-bot"


def test_admin_is_made_of_edit_which_is_made_of_view(cluster):
    admin = cluster.get("ClusterRole", "admin")["rules"]

    assert all(rule in admin for rule in defaults.rules_of("system:aggregate-to-view"))
    assert all(rule in admin for rule in cluster.get("ClusterRole", "edit")["rules"])


def test_a_labelled_role_of_an_add_on_joins_the_roles_that_collect():
    cluster = a_cluster(nodes=0)
    role = a_role("crons", ["get"], ["crontabs"], groups=["x.io"], namespace="")
    role["metadata"]["labels"] = {f"{RBAC}/aggregate-to-view": "true"}
    cluster.create(role)
    cluster.settle()

    assert role["rules"][0] in cluster.get("ClusterRole", "admin")["rules"]


def test_nobody_writes_a_role_with_more_than_they_hold(cluster):
    cluster.create(a_binding("boss", "admin", "boss", kind="ClusterRole"))
    boss = cluster.acting_as("boss", "dev")

    assert boss.create(a_role("fine", ["get", "list"], ["pods"]))["kind"] == "Role"
    assert refusal(boss.create, a_role("too-much", ["get", "bind", "own"], ["pods", "nodes"])) == (
        'roles.rbac.authorization.k8s.io "too-much" is forbidden: user "boss" (groups=["dev" "system:authenticated"])'
        " is attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "bind" "own"]}\n'
        '{APIGroups:[""], Resources:["pods"], Verbs:["bind" "own"]}'
    )


def test_nobody_binds_a_role_with_more_than_they_hold_unless_they_may_bind_it(cluster):
    cluster.create(a_binding("chief", "admin", "chief", kind="ClusterRole"))
    chief = cluster.acting_as("chief")

    assert chief.create(a_binding("viewers", "view", "eve", kind="ClusterRole"))["kind"] == "RoleBinding"
    grab = a_binding("grab", "cluster-admin", "chief", kind="ClusterRole")
    assert 'rolebindings.rbac.authorization.k8s.io "grab" is forbidden: user "chief"' in refusal(chief.create, grab)
    assert '{NonResourceURLs:["*"], Verbs:["*"]}' in refusal(chief.create, grab)

    cluster.create(a_role("binder", ["bind"], ["clusterroles"], groups=[RBAC], resourceNames=["cluster-admin"]))
    cluster.create(a_binding("chief-binds", "binder", "chief"))
    assert chief.create(grab)["kind"] == "RoleBinding"


def test_a_node_reads_what_its_pods_need_and_changes_only_itself(cluster):
    node = cluster.acting_as("system:node:worker-1", "system:nodes")
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"

    assert "no relationship found between node 'worker-1' and this object" in refusal(node.request, "POST", path, {})
    assert refusal(node.request, "DELETE", "/api/v1/nodes/worker-1") == (
        'nodes "worker-1" is forbidden: User "system:node:worker-1" cannot delete resource "nodes" in API group ""'
        " at the cluster scope"
    )
    cluster.create(a_pod("web", nodeName="worker-1"))
    assert "no relationship" not in refusal(node.request, "POST", path, {})


def test_a_new_cluster_has_the_roles_that_the_recording_lists(cluster):
    found = {role["metadata"]["name"] for role in cluster.objects("ClusterRole")}

    assert {"cluster-admin", "admin", "edit", "view", "system:node-proxier", "system:volume-scheduler"} <= found
    assert len(defaults.policy()) == 141
    assert cluster.get("ClusterRoleBinding", "cluster-admin")["subjects"] == [
        {"kind": "Group", "apiGroup": RBAC, "name": "system:masters"}
    ]
