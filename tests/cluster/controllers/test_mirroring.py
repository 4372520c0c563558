"""Endpoints written by hand, for a Service without a selector, are copied into slices."""

from typing import Any

from cluster.objects import Manifest, meta
from tests.builders import TestCluster, a_cluster, a_service

TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"


def a_bare_service(name: str = "db") -> Manifest:
    service = a_service(name)
    return {**service, "spec": {k: v for k, v in service["spec"].items() if k != "selector"}}


def some_endpoints(*ips: str, metadata: Manifest | None = None, **subset: Any) -> Manifest:
    addresses = [{"ip": ip} for ip in ips]
    return {
        "kind": "Endpoints",
        "apiVersion": "v1",
        "metadata": {"name": "db", "namespace": "default", **(metadata or {})},
        "subsets": [{"addresses": addresses, "ports": [{"port": 5432}], **subset}],
    }


def copies(cluster: TestCluster) -> list[Manifest]:
    found = cluster.objects("EndpointSlice", "default")
    return [piece for piece in found if meta.labels(piece).get("kubernetes.io/service-name") == "db"]


def a_mirrored(*ips: str, **more: Any) -> TestCluster:
    return a_cluster(nodes=1).with_objects(a_bare_service(), some_endpoints(*ips, **more)).settled()


def test_endpoints_made_by_hand_become_a_slice_that_belongs_to_them():
    labels = {"tier": "data"}
    notes = {"note": "outside", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    cluster = a_mirrored("192.0.2.1", metadata={"labels": labels, "annotations": notes},
                         notReadyAddresses=[{"ip": "192.0.2.2", "hostname": "two"}])  # fmt: skip

    (piece,) = copies(cluster)
    assert piece["metadata"]["generateName"] == "db-"
    assert meta.labels(piece) == {
        "tier": "data",
        "kubernetes.io/service-name": "db",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    assert meta.annotations(piece) == {"note": "outside"}
    assert meta.is_controlled_by(piece, cluster.get("Endpoints", "db"))
    assert piece["ports"] == [{"name": "", "port": 5432, "protocol": "TCP"}]
    assert piece["endpoints"] == [
        {"addresses": ["192.0.2.1"], "conditions": {"ready": True}},
        {"addresses": ["192.0.2.2"], "conditions": {"ready": False}, "hostname": "two"},
    ]


def test_a_copy_follows_its_endpoints_in_place():
    cluster = a_mirrored("192.0.2.1")
    (before,) = copies(cluster)

    cluster.patch(cluster.get("Endpoints", "db"), {"subsets": some_endpoints("192.0.2.9")["subsets"]})
    cluster.settle()

    (piece,) = copies(cluster)
    assert meta.name(piece) == meta.name(before)
    assert [e["addresses"] for e in piece["endpoints"]] == [["192.0.2.9"]]


def test_other_ports_reuse_the_slice():
    cluster = a_mirrored("192.0.2.1")
    (before,) = copies(cluster)

    other = some_endpoints("192.0.2.1", ports=[{"name": "sql", "port": 6543}])["subsets"]
    cluster.patch(cluster.get("Endpoints", "db"), {"subsets": other})
    cluster.settle()

    (piece,) = copies(cluster)
    assert meta.name(piece) == meta.name(before)
    assert piece["ports"] == [{"name": "sql", "port": 6543, "protocol": "TCP"}]


def test_both_families_of_addresses_have_a_slice_each():
    cluster = a_mirrored("192.0.2.1", "2001:db8::1")

    assert sorted(piece["addressType"] for piece in copies(cluster)) == ["IPv4", "IPv6"]


def test_a_copy_that_somebody_changed_or_deleted_is_put_right():
    cluster = a_mirrored("192.0.2.1")

    (piece,) = copies(cluster)
    cluster.patch(piece, {"endpoints": []})
    cluster.settle()
    (piece,) = copies(cluster)
    assert [e["addresses"] for e in piece["endpoints"]] == [["192.0.2.1"]]

    cluster.delete(piece)
    cluster.settle()
    assert len(copies(cluster)) == 1


def test_a_subset_gives_a_thousand_addresses_and_tells_of_the_rest():
    cluster = a_mirrored(*(f"10.9.{n // 250}.{n % 250 + 1}" for n in range(1_003)))

    (piece,) = copies(cluster)
    assert len(piece["endpoints"]) == 1_000
    (event,) = cluster.events("TooManyAddressesToMirror")
    assert event["message"] == (
        "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 3 addresses were skipped"
    )
    assert event["source"]["component"] == "endpoint-slice-mirroring-controller"


def test_marked_endpoints_and_locks_are_not_copied():
    assert not copies(a_mirrored("192.0.2.1", metadata={"labels": {SKIP: "true"}}))
    assert not copies(a_mirrored("192.0.2.1", metadata={"annotations": {LEADER: "{}"}}))


def test_a_mark_takes_the_copy_away_again():
    cluster = a_mirrored("192.0.2.1")

    cluster.patch(cluster.get("Endpoints", "db"), {"metadata": {"labels": {SKIP: "true"}}})
    cluster.settle()

    assert not copies(cluster)


def test_copies_go_with_their_service_and_with_their_endpoints():
    for kind in ("Service", "Endpoints"):
        cluster = a_mirrored("192.0.2.1")
        cluster.delete(cluster.get(kind, "db"))
        cluster.settle()
        assert not copies(cluster), kind


def test_a_service_that_gets_a_selector_has_slices_of_its_pods_instead():
    cluster = a_mirrored("192.0.2.1")

    cluster.patch(cluster.get("Service", "db"), {"spec": {"selector": {"app": "db"}}})
    cluster.settle()

    managers = [meta.labels(piece)["endpointslice.kubernetes.io/managed-by"] for piece in copies(cluster)]
    assert managers == ["endpointslice-controller.k8s.io"]


def test_a_right_copy_is_not_written_again():
    cluster = a_mirrored("192.0.2.1")
    before = copies(cluster)

    stamped = {"metadata": {"annotations": {TRIGGER: "2026-01-01T00:00:00Z"}}}
    cluster.patch(cluster.get("Endpoints", "db"), stamped)
    cluster.run_for(120)

    assert copies(cluster) == before
