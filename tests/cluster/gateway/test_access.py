"""Who may read, and as whom: certificates, tokens, impersonation, reviews; against what a real server answered."""

import datetime
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cluster.objects.credentials import certificates, keys, tokens
from tests.cluster.gateway.asgi import fetch

GOLDEN = Path(__file__).parents[2] / "golden"
ERRORS = json.loads((GOLDEN / "errors" / "cases.json").read_text())
REVIEWS = json.loads((GOLDEN / "defaulting" / "create.json").read_text())
WORLD = ("POST", "PUT", "PATCH", "DELETE")
REFUSED = [
    case
    for case in ERRORS
    if case["request"].get("user") and (case["request"]["method"] not in WORLD or "/exec" in case["request"]["path"])
]
SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
MAY_I = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
BOT = "/api/v1/namespaces/default/serviceaccounts/bot"


def a_certificate(name, *groups, key=None, usages=("client auth",), ends=certificates.END):
    """One of the lab's own authority, or of another one's."""
    authority = key or keys.of_cluster({}, 7).authority
    holder = ec.generate_private_key(ec.SECP256R1()).public_key()
    subject = certificates.subject_of(name, list(groups))
    made = certificates.sign(authority, subject, holder, 1, certificates.BEGINNING, ends, list(usages))
    return made.public_bytes(serialization.Encoding.DER)


def post(path, body=None, **more):
    return fetch(path, "POST", json.dumps(body or {}).encode(), content_type="application/json", **more)


def whoami(**more):
    answer = post(SELF, **more)
    assert answer.status == 201, answer.body
    return answer.json()["status"]["userInfo"]


def may(user, verb, resource, **attributes):
    asked = {"verb": verb, "resource": resource, **attributes}
    return post(MAY_I, {"spec": {"resourceAttributes": asked}}, certificate=user).json()["status"]


def a_token(**spec):
    made = post(f"{BOT}/token", {"spec": spec})
    assert made.status == 201, made.body
    return made.json()["status"]["token"]


@pytest.fixture
def bot(lab):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot", "namespace": "default"}}
    lab.create(account)
    return lab


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["name"])
def test_strangers_and_those_without_roles_are_answered_as_recorded(lab, case):
    who = {
        "bad": {"authorization": "Bearer no-such-token"},
        "(anonymous)": {"secure": True},
        "alice": {"certificate": a_certificate("alice", "dev", "ops")},
    }[case["request"]["user"]]
    headers = {name.replace("-", "_"): value for name, value in (case["request"].get("headers") or {}).items()}

    answer = fetch(case["request"]["path"], case["request"]["method"], **who, **headers)

    assert answer.status == case["response"]["status"]
    if answer.status != 200:
        assert answer.json() == case["response"]["body"]


def test_plain_http_is_the_administrator_unless_a_header_says_otherwise(lab):
    assert whoami() == {"username": "system:admin", "groups": ["system:masters", "system:authenticated"]}
    assert fetch("/api/v1/pods", authorization="Basic YWxpY2U6cHc=").status == 401
    assert whoami(impersonate_user="bob", impersonate_group="g") == {
        "username": "bob",
        "groups": ["g", "system:authenticated"],
    }


def test_a_certificate_of_the_cluster_is_its_name_and_organisations(lab):
    shown = whoami(certificate=a_certificate("alice", "dev", "ops"))

    assert (shown["username"], shown["groups"]) == ("alice", ["dev", "ops", "system:authenticated"])
    assert shown["extra"]["authentication.kubernetes.io/credential-id"][0].startswith("X509SHA256=")


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": ec.generate_private_key(ec.SECP256R1())},
        {"usages": ("server auth",)},
        {"ends": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)},
    ],
    ids=["of a stranger's authority", "for servers", "ended by the cluster's clock"],
)
def test_a_certificate_that_does_not_count_is_401(lab, wrong):
    assert fetch("/version", certificate=a_certificate("alice", **wrong)).status == 401


def test_what_is_no_certificate_at_all_is_401(lab):
    assert fetch("/version", certificate=b"\x30\x03nonsense").status == 401


def test_a_role_counts_for_readers_as_soon_as_it_is_committed_and_until_it_is_gone(lab):
    alice = a_certificate("alice")
    lab.config_map("settings")
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "alice", "namespace": "default"},
        "subjects": [{"kind": "User", "name": "alice"}],
        "roleRef": {"kind": "ClusterRole", "name": "view"},
    }
    path = "/api/v1/namespaces/default/configmaps/settings"
    assert fetch(path, certificate=alice).status == 403

    made = lab.create(binding)
    assert fetch(path, certificate=alice).status == 200
    assert may(alice, "list", "configmaps", namespace="default") == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "alice/default" of ClusterRole "view" to User "alice"',
    }
    assert may(alice, "list", "configmaps", namespace="kube-system") == {"allowed": False}
    assert fetch("/api/v1/namespaces/default", certificate=alice).status == 200
    assert fetch("/api/v1/namespaces/default/secrets", certificate=alice).status == 403

    lab.delete(made)
    assert fetch(path, certificate=alice).status == 403


def test_a_field_selector_of_one_name_is_held_against_resource_names(lab):
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "one"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["watch", "list"], "resourceNames": ["a"]}],
    }
    lab.create(role)
    lab.create(
        {
            "apiVersion": role["apiVersion"],
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "one"},
            "subjects": [{"kind": "Group", "name": "dev"}],
            "roleRef": {"kind": "ClusterRole", "name": "one"},
        }
    )
    dev = a_certificate("dan", "dev")

    assert fetch("/api/v1/configmaps?fieldSelector=metadata.name%3Da", certificate=dev).status == 200
    refused = fetch("/api/v1/configmaps?fieldSelector=metadata.name%3Db", certificate=dev)
    assert refused.json()["message"].startswith('configmaps "b" is forbidden: User "dan" cannot list resource')


# --- tokens -------------------------------------------------------------------------------------------------------


def test_a_token_is_its_service_account_while_that_lives(bot):
    token = a_token()

    shown = whoami(authorization=f"Bearer {token}")
    assert (shown["username"], shown["uid"]) == (
        "system:serviceaccount:default:bot",
        bot.get("ServiceAccount", "bot")["metadata"]["uid"],
    )
    assert shown["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]

    bot.delete(bot.get("ServiceAccount", "bot"))
    assert fetch("/version", authorization=f"Bearer {token}").status == 401


def test_a_token_says_who_it_is_for_and_when_it_ends(bot):
    claims = tokens.claims_of(keys.of_cluster({}, 7).tokens, a_token(audiences=["vault"], expirationSeconds=1200))

    assert (claims["aud"], claims["exp"] - claims["iat"], claims["iss"]) == (["vault"], 1200, tokens.ISSUER)
    assert claims["sub"] == "system:serviceaccount:default:bot"
    assert claims["kubernetes.io"]["serviceaccount"]["name"] == "bot"


def test_a_token_for_others_or_one_that_ended_is_no_token_here(bot):
    mine = keys.of_cluster({}, 7).tokens
    account = bot.get("ServiceAccount", "bot")
    ended = tokens.signed(mine, tokens.bound_claims(account, None, None, [tokens.ISSUER], 1_000_000, 600))

    assert fetch("/version", authorization=f"Bearer {a_token(audiences=['vault'])}").status == 401
    assert fetch("/version", authorization=f"Bearer {ended}").status == 401
    review = post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": ended}}).json()
    assert review["status"] == {"user": {}, "error": "service account token has expired"}


def test_a_bound_token_ends_with_its_pod(bot):
    pod = {"name": "web", "namespace": "default"}
    spec = {"serviceAccountName": "bot", "containers": [{"name": "app", "image": "nginx"}]}
    made = bot.create({"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": spec})
    token = a_token(boundObjectRef={"apiVersion": "v1", "kind": "Pod", "name": "web"})

    shown = whoami(authorization=f"Bearer {token}")["extra"]
    assert shown["authentication.kubernetes.io/pod-name"] == ["web"]
    bot.delete(made)
    assert fetch("/version", authorization=f"Bearer {token}").status == 401


def test_token_requests_are_refused_as_recorded(lab):
    for case in ERRORS:
        if case["name"].startswith("token "):
            path = case["request"]["path"].replace("err-public", "default")
            answer = post(path, case["request"]["body"])
            assert (answer.status, answer.json()) == (case["response"]["status"], case["response"]["body"])


def test_a_token_review_names_the_user(bot):
    answer = post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": a_token()}}).json()

    assert answer["status"]["authenticated"] is True
    assert answer["status"]["user"]["username"] == "system:serviceaccount:default:bot"
    assert answer["status"]["audiences"] == [tokens.ISSUER]
    garbage = post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "no.such.token"}})
    assert garbage.json()["status"] == {"user": {}}


def test_others_can_check_tokens_by_the_published_key(bot):
    header = json.loads(tokens.urlsafe_b64decode(a_token().split(".")[0] + "=="))
    found = fetch("/openid/v1/jwks").json()["keys"]

    assert [key["kid"] for key in found] == [header["kid"]]
    assert fetch("/.well-known/openid-configuration").json()["issuer"] == tokens.ISSUER


# --- reviews ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [case for case in REVIEWS if case["request"]["path"].startswith("/apis/authorization")],
    ids=lambda case: case["name"],
)
def test_access_reviews_are_answered_as_recorded(lab, case):
    answer = post(case["request"]["path"], case["request"]["body"])

    assert (answer.status, answer.json()) == (201, case["response"]["body"])


def test_a_review_that_asks_nothing_is_invalid(lab):
    assert post(MAY_I, {"spec": {}}).json()["message"] == (
        'SelfSubjectAccessReview.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null:'
        " exactly one of nonResourceAttributes or resourceAttributes must be specified"
    )


def test_a_local_review_asks_about_its_own_namespace_only(lab):
    path = "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews"
    spec = {"user": "alice", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}

    assert post(path, {"spec": spec}).json()["status"] == {"allowed": False}
    elsewhere = {**spec, "resourceAttributes": {**spec["resourceAttributes"], "namespace": "kube-system"}}
    assert post(path, {"spec": elsewhere}).status == 400


# --- impersonation ------------------------------------------------------------------------------------------------


def test_who_may_impersonate_is_a_matter_of_roles(lab):
    rules = [
        {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["bob"]},
        {"apiGroups": [""], "resources": ["groups"], "verbs": ["impersonate"], "resourceNames": ["dev"]},
    ]
    api = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "as-bob"}}
    lab.create({**api, "kind": "ClusterRole", "rules": rules})
    subjects = [{"kind": "User", "name": "alice"}]
    role = {"kind": "ClusterRole", "name": "as-bob"}
    lab.create({**api, "kind": "ClusterRoleBinding", "subjects": subjects, "roleRef": role})
    alice = a_certificate("alice")

    shown = whoami(certificate=alice, impersonate_user="bob", impersonate_group="dev")
    assert shown == {"username": "bob", "groups": ["dev", "system:authenticated"]}
    refused = post(SELF, certificate=alice, impersonate_user="carol")
    assert refused.json()["message"] == (
        'selfsubjectreviews.authentication.k8s.io is forbidden: User "alice" cannot'
        ' impersonate-on:user-info:create resource "selfsubjectreviews" in API group "authentication.k8s.io"'
        " at the cluster scope"
    )


def test_an_impersonated_service_account_has_its_groups(lab):
    shown = whoami(impersonate_user="system:serviceaccount:default:bot")

    assert shown["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]


def test_groups_without_a_name_are_a_mistake(lab):
    assert fetch("/version", impersonate_group="dev").json()["message"] == (
        'requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"dev"}, Extra:map[string][]string(nil)}'
        " without impersonating a user name"
    )
