"""Credentials that controllers make: tokens in Secrets, certificates for requests."""

from base64 import b64decode, b64encode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cluster.objects.credentials import certificates, keys, tokens
from cluster.world import replay
from tests.builders import Refused, a_cluster

SIGNER = "kubernetes.io/kube-apiserver-client"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
KEY = ec.derive_private_key(2014, ec.SECP256R1())


def an_account(name):
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "default"}}


def a_token_secret(name, account):
    annotations = {"kubernetes.io/service-account.name": account}
    metadata = {"name": name, "namespace": "default", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/service-account-token"}


def a_request(name, *groups, usages=("client auth",), **spec):
    asked = x509.CertificateSigningRequestBuilder().subject_name(certificates.subject_of(name, list(groups)))
    pem = asked.sign(KEY, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(serialization.Encoding.PEM)
    text = b64encode(pem).decode()
    body = {"signerName": SIGNER, "usages": list(usages), "request": text, **spec}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": body,
    }


def approve(cluster, request, kind="Approved"):
    name = request["metadata"]["name"]
    current = cluster.get("CertificateSigningRequest", name)
    condition = {"type": kind, "status": "True", "reason": "Test", "message": "by a test"}
    changed = {**current, "status": {**current.get("status", {}), "conditions": [condition]}}
    return cluster.request("PUT", f"{REQUESTS}/{name}/approval", changed)


def signed(cluster, request):
    cluster.create(request)
    approve(cluster, request)
    cluster.settle()
    return cluster.get("CertificateSigningRequest", request["metadata"]["name"])["status"]


def test_a_token_secret_is_filled_and_names_its_account():
    cluster = a_cluster(nodes=0).with_objects(an_account("bot"), a_token_secret("bot-token", "bot")).settled()
    secret = cluster.get("Secret", "bot-token")

    token = b64decode(secret["data"]["token"]).decode()
    claims = tokens.claims_of(keys.of_cluster({}, 7).tokens, token)
    assert claims["sub"] == "system:serviceaccount:default:bot"
    assert claims["kubernetes.io/serviceaccount/secret.name"] == "bot-token"
    assert b64decode(secret["data"]["namespace"]) == b"default"
    user, _ = tokens.user_of(claims, token, [tokens.ISSUER], 0, lambda kind, _, name: cluster.get(kind, name))
    assert user.name == "system:serviceaccount:default:bot"


def test_a_token_secret_goes_with_its_account_and_its_token_with_the_secret():
    cluster = a_cluster(nodes=0).with_objects(an_account("bot"), a_token_secret("bot-token", "bot")).settled()
    token = b64decode(cluster.get("Secret", "bot-token")["data"]["token"]).decode()
    claims = tokens.claims_of(keys.of_cluster({}, 7).tokens, token)

    cluster.delete(cluster.get("ServiceAccount", "bot"))
    cluster.settle()

    assert cluster.get("Secret", "bot-token") is None
    with pytest.raises(tokens.BadToken, match="invalidated"):
        tokens.user_of(claims, token, [tokens.ISSUER], 0, lambda kind, _, name: cluster.get(kind, name))


def test_an_approved_request_gets_a_certificate_with_which_its_subject_logs_in():
    cluster = a_cluster(nodes=0)
    status = signed(cluster, a_request("alice", "dev"))

    made = x509.load_pem_x509_certificate(b64decode(status["certificate"]))
    authority = certificates.authority(keys.of_cluster({}, 7).authority)
    now = certificates.at(cluster.world.clock.unix())
    user = certificates.user_of(made.public_bytes(serialization.Encoding.DER), [(authority, now)])
    assert (user.name, user.groups) == ("alice", ("dev", "system:authenticated"))
    assert (made.not_valid_after_utc - made.not_valid_before_utc).days == 365


def test_a_request_may_ask_for_less_time():
    status = signed(a_cluster(nodes=0), a_request("alice", expirationSeconds=3600))

    made = x509.load_pem_x509_certificate(b64decode(status["certificate"]))
    assert (made.not_valid_after_utc - made.not_valid_before_utc).total_seconds() == 3600


def test_nothing_is_signed_before_it_is_approved_or_when_it_was_denied():
    cluster = a_cluster(nodes=0).with_objects(a_request("alice"), a_request("mallory"))
    approve(cluster, a_request("mallory"), "Denied")
    cluster.settle()

    for name in ("alice", "mallory"):
        assert "certificate" not in cluster.get("CertificateSigningRequest", name)["status"]


def test_a_client_that_wants_to_serve_fails_for_good():
    status = signed(a_cluster(nodes=0), a_request("alice", usages=("client auth", "server auth")))

    failed = status["conditions"][-1]
    assert (failed["type"], failed["reason"]) == ("Failed", "SignerValidationFailure")
    assert failed["message"] == "invalid usage for client certificate: server auth"


def test_who_may_not_approve_for_a_signer_is_refused():
    cluster = a_cluster(nodes=0).with_objects(a_request("alice"))
    rule = {"apiGroups": ["certificates.k8s.io"], "resources": ["*"], "verbs": ["get", "update"]}
    api = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "clerk"}}
    cluster.create({**api, "kind": "ClusterRole", "rules": [rule]})
    role, subjects = {"kind": "ClusterRole", "name": "clerk"}, [{"kind": "User", "name": "clerk"}]
    cluster.create({**api, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": subjects})

    with pytest.raises(Refused, match="user not permitted to approve requests with signerName"):
        approve(cluster.acting_as("clerk"), a_request("alice"))


def test_a_replay_makes_the_same_credentials():
    cluster = a_cluster(nodes=0, signing_secret="of a test").with_objects(an_account("bot"))
    cluster.create(a_token_secret("bot-token", "bot"))
    signed(cluster, a_request("alice", "dev"))

    again = replay(cluster.world.export())

    assert again.dump() == cluster.world.dump()
    assert again.informers.get("Secret", "default", "bot-token")["data"]["token"]
