"""/metrics: what was asked of a cluster, in the names that dashboards look for."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families as families

from cluster.gateway import health
from tests.cluster.gateway.asgi import Exchange, fetch

MAPS = "/api/v1/namespaces/default/configmaps"


def samples(text):
    """(name, labels) to value."""
    found = families(text.decode())
    return [(sample.name, sample.labels, sample.value) for family in found for sample in family.samples]


def value(text, name, **labels):
    return [v for n, given, v in samples(text) if n == name and labels.items() <= given.items()]


def test_a_request_is_counted_by_what_it_asked_for(lab):
    listing = {"verb": "LIST", "resource": "configmaps", "scope": "namespace", "code": "200"}
    before = sum(value(fetch("/metrics").body, "apiserver_request_total", **listing))
    fetch(MAPS)
    fetch(f"{MAPS}/nada")

    text = fetch("/metrics").body

    assert value(text, "apiserver_request_total", **listing) == [before + 1]
    assert value(text, "apiserver_request_total", verb="GET", resource="configmaps", scope="resource", code="404")
    buckets = {"verb": "LIST", "resource": "configmaps", "scope": "namespace", "le": "+Inf"}
    assert value(text, "apiserver_request_duration_seconds_bucket", **buckets)[0] >= before + 1
    assert value(text, "apiserver_current_inflight_requests", request_kind="readOnly") == [0.0]


def test_an_open_watch_is_long_running_and_its_duration_says_nothing(lab):
    async def run():
        exchange = Exchange(f"{MAPS}?watch=1&resourceVersion={lab.revision}")
        await exchange.until(lambda answer: answer.chunks)
        during = (await Exchange("/metrics").finished()).body
        exchange.hang_up()
        await exchange.finished()
        return during, (await Exchange("/metrics").finished()).body

    during, after = asyncio.run(run())

    assert value(during, "apiserver_longrunning_requests", verb="WATCH", resource="configmaps", scope="namespace") == [
        1.0
    ]
    assert value(after, "apiserver_longrunning_requests", verb="WATCH", resource="configmaps", scope="namespace") == [
        0.0
    ]
    assert value(
        after, "apiserver_request_duration_seconds_count", verb="WATCH", resource="configmaps", scope="namespace"
    ) == [0.0]


def test_what_the_store_holds_is_counted(lab):
    before = value(fetch("/metrics").body, "apiserver_storage_objects", resource="configmaps")[0]

    lab.config_map("another")

    text = fetch("/metrics").body
    assert value(text, "apiserver_storage_objects", resource="configmaps") == [before + 1]
    assert value(text, "apiserver_resource_objects", group="apps", resource="deployments") == [0.0]
    assert value(text, "kubernetes_build_info", git_version="v1.37.2") == [1.0]


def test_paths_that_nobody_serves_make_no_series(lab):
    fetch("/etc/passwd")
    fetch("/apis/made.up/v1/things")
    fetch("/readyz")

    text = fetch("/metrics").body

    assert b"passwd" not in text
    assert b"made.up" not in text
    assert value(text, "apiserver_request_total", subresource="/readyz", verb="GET", code="200")


def test_a_cluster_that_there_is_not_has_no_metrics(lab):
    assert fetch("/metrics", prefix="/clusters/other").status == 404


def test_each_health_check_is_a_figure(lab):
    text = fetch("/metrics/slis").body

    checks = value(text, "kubernetes_healthcheck", type="readyz")
    assert checks == [1.0] * len(health.CHECKS["readyz"])
    assert fetch("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
