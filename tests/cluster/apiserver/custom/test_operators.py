"""Definitions in the shape of well-known operators', and what their users do with them."""

import pytest

from cluster.apiserver import commits, table
from cluster.apiserver.commits import row_of
from cluster.models import Cluster
from cluster.world import World, replay
from tests.builders import EPOCH, Refused, TestCluster, a_cluster
from tests.cluster.apiserver.custom.definitions import a_crontab, a_crontab_definition, a_definition, an_object

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
CONDITION = {
    "type": "object",
    "required": ["type", "status"],
    "properties": {
        "type": TEXT,
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "lastTransitionTime": {"type": "string", "format": "date-time"},
        "reason": TEXT,
        "message": TEXT,
    },
}
CONDITIONS = {
    "type": "array", "items": CONDITION, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
}  # fmt: skip
QUANTITY = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]+))?$",
    "x-kubernetes-int-or-string": True,
}


def a_certificate_definition():
    """Like cert-manager's: references, lists of names, conditions as a map, columns that look into conditions."""
    issuer = {"type": "object", "required": ["name"], "properties": {"name": TEXT, "kind": TEXT, "group": TEXT}}
    key = {"type": "object", "properties": {
        "algorithm": {"type": "string", "enum": ["RSA", "ECDSA", "Ed25519"]}, "size": WHOLE,
        "rotationPolicy": {"type": "string", "enum": ["Never", "Always"], "default": "Always"}}}  # fmt: skip
    spec = {
        "type": "object",
        "required": ["issuerRef", "secretName"],
        "properties": {
            "issuerRef": issuer,
            "secretName": TEXT,
            "dnsNames": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "atomic"},
            "duration": TEXT,
            "privateKey": key,
        },
    }
    status = {"type": "object", "properties": {"conditions": CONDITIONS, "revision": WHOLE}}
    columns = [
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type == "Ready")].status'},
        {"name": "Secret", "type": "string", "jsonPath": ".spec.secretName"},
        {"name": "Issuer", "type": "string", "jsonPath": ".spec.issuerRef.name", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    schema = {"type": "object", "properties": {
        "apiVersion": TEXT, "kind": TEXT, "metadata": {"type": "object"}, "spec": spec, "status": status}}  # fmt: skip
    names = {"shortNames": ["cert", "certs"], "categories": ["cert-manager"]}
    made = {"schema": schema, "names": names, "additionalPrinterColumns": columns, "subresources": {"status": {}}}
    return a_definition("Certificate", "certs.example.com", **made)


def a_monitor_definition():
    """Like the Prometheus operator's: quantities, maps, embedded templates, deep and wide."""
    resources = {"type": "object", "properties": {part: {"type": "object", "additionalProperties": QUANTITY}
                                                  for part in ("limits", "requests")}}  # fmt: skip
    claim = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {
        "apiVersion": TEXT, "kind": TEXT,
        "metadata": {"type": "object"},
        "spec": {"type": "object", "properties": {"resources": resources}}}}  # fmt: skip
    spec = {
        "type": "object",
        "x-kubernetes-validations": [
            {"rule": "!has(self.minReplicas) || self.minReplicas <= self.replicas", "message": "too few replicas"}
        ],
        "properties": {
            "replicas": {"type": "integer", "format": "int32", "default": 1},
            "minReplicas": {"type": "integer", "format": "int32"},
            "resources": resources,
            "storage": claim,
            "nodeSelector": {"type": "object", "additionalProperties": TEXT},
            "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "port": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
        },
    }
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    status = {"type": "object", "properties": {"replicas": WHOLE}}
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": spec, "status": status}}
    return a_definition("Monitor", "mon.example.com", schema=schema, subresources={"status": {}, "scale": scale})


@pytest.fixture
def cluster():
    return a_cluster(nodes=0).with_objects(a_certificate_definition(), a_monitor_definition()).run_for(1)


def test_a_certificate_is_asked_for_reported_on_and_printed(cluster):
    spec = {"issuerRef": {"name": "ca"}, "secretName": "tls", "dnsNames": ["a.example.com"], "privateKey": {}}
    certificate = an_object("Certificate", "web", "certs.example.com/v1", spec=spec)

    made = cluster.create(certificate)
    assert made["spec"]["privateKey"] == {"rotationPolicy": "Always"}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-24T00:00:00Z", "reason": "Issued"}
    reported = cluster.patch(certificate, {"status": {"conditions": [ready], "revision": 1}}, "status")

    resource = cluster.world.server.kinds.by_kind("Certificate", "certs.example.com/v1")
    printed = table.table("", "", [reported], EPOCH + cluster.world.now, {}, printer=resource.printer)
    assert printed["rows"][0]["cells"][:4] == ["web", "True", "tls", "ca"]
    with pytest.raises(Refused) as refused:
        cluster.patch(certificate, {"status": {"conditions": [ready, ready]}}, "status")
    assert refused.value.body["details"]["causes"] == [
        {"reason": "FieldValueDuplicate", "message": 'Duplicate value: {"type":"Ready"}',
         "field": "status.conditions[1]"},
    ]  # fmt: skip


def test_a_monitor_with_quantities_templates_and_whatever(cluster):
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"labels": {"a": "b"}},
             "spec": {"resources": {"requests": {"storage": "10Gi"}}, "unknown": 1}}  # fmt: skip
    spec = {"resources": {"limits": {"cpu": 2, "memory": "1Gi"}}, "storage": claim, "extra": {"x": [1, {"y": None}]}}
    made = cluster.create(an_object("Monitor", "one", "mon.example.com/v1", spec={**spec, "port": "web"}))

    assert made["spec"]["replicas"] == 1
    assert made["spec"]["storage"]["metadata"] == {"labels": {"a": "b"}}
    assert "unknown" not in made["spec"]["storage"]["spec"]
    assert made["spec"]["extra"] == {"x": [1, {"y": None}]}
    for wrong, field in (
        ({"resources": {"limits": {"cpu": "many"}}}, "spec.resources.limits.cpu"),
        ({"nodeSelector": {"a": 1}}, "spec.nodeSelector.a"),
        ({"minReplicas": 3}, "spec"),
    ):
        with pytest.raises(Refused) as refused:
            cluster.create(an_object("Monitor", "two", "mon.example.com/v1", spec=wrong))
        assert refused.value.body["details"]["causes"][0]["field"] == field


def test_a_put_must_say_which_version_it_replaces(cluster):
    path = "/apis/mon.example.com/v1/namespaces/default/monitors"
    monitor = an_object("Monitor", "one", "mon.example.com/v1", spec={})
    made = cluster.create(monitor)

    with pytest.raises(Refused) as refused:
        cluster.request("PUT", f"{path}/one", monitor)
    assert "metadata.resourceVersion" in refused.value.body["message"]
    metadata = {**made["metadata"]}
    replaced = cluster.request("PUT", f"{path}/one", {**made, "metadata": metadata, "spec": {"replicas": 2}})
    assert replaced["metadata"]["generation"] == 2


@pytest.mark.django_db(transaction=True)
def test_a_world_with_operators_is_rebuilt_from_its_rows_and_lived_again():
    row = Cluster.objects.create(name="saved", seed=7, epoch=EPOCH, engine="1", options={"nodes": 1}, owner_epoch=1)
    world = World.create(7, EPOCH, {"nodes": 1}, identity=row.pk, owner_epoch=1)
    life = TestCluster(world).run_for(5)
    life.with_objects(a_certificate_definition(), a_crontab_definition()).run_for(1)
    life.with_objects(a_crontab("one"), a_crontab("two")).run_for(1)
    life.patch(a_crontab("one"), {"spec": {"image": "other"}})
    life.run_for(1)

    row.refresh_from_db()
    rebuilt = World.load(row_of(row), row.pk, row.owner_epoch)

    assert rebuilt.dump() == world.dump()
    assert rebuilt.server.kinds.by_kind("CronTab", "stable.example.com/v1").short_names == ("ct",)
    ahead = [TestCluster(one.fork()) for one in (world, rebuilt)]
    for one in ahead:
        one.delete(a_crontab_definition())
        one.run_for(30)
    assert commits.digest(ahead[0].world.history) == commits.digest(ahead[1].world.history)
    again = replay(world.export(), slice_steps=13)
    assert commits.digest(again.revisions()) == commits.digest(world.revisions())
