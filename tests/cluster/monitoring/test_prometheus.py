"""A Prometheus in the cluster: what it scrapes while its pod runs, and what it answers over HTTP."""

from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.engine.clock import monotonic
from cluster.gathering import Gathering
from cluster.models import Cluster
from cluster.monitoring.families import sample
from cluster.monitoring.families import text as text_of
from cluster.monitoring.scraper import Scraper
from cluster.world import World
from tests.builders import EPOCH, a_deployment, a_service
from tests.cluster.flows.conftest import PATH, a_load_generator
from tests.cluster.gateway.asgi import fetch
from tests.cluster.monitoring.conftest import Watched

PROXY = "/api/v1/namespaces/kube-system/services/prometheus:9090/proxy/api/v1"
SHORT = "/prometheus/api/v1"
UP = 16  # Targets of the cluster below.
DEPLOYMENT = "/apis/apps/v1/namespaces/kube-system/deployments/prometheus"


def ask(query: str, base: str = SHORT) -> dict[tuple, float]:
    answer = fetch(f"{base}/query?query={quote(query)}")
    assert answer.status == 200, answer.body
    return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in answer.json()["data"]["result"]}


def test_every_target_is_up_and_says_how_much_it_said(watched):
    up = ask("sum by (job) (up)")
    assert up == {
        (("job", "apiserver"),): 1, (("job", "etcd"),): 3, (("job", "kube-controller-manager"),): 1,
        (("job", "kube-proxy"),): 2, (("job", "kube-scheduler"),): 1, (("job", "kube-state-metrics"),): 1,
        (("job", "kubelet"),): 6, (("job", "prometheus"),): 1,
    }  # fmt: skip
    assert all(ask('scrape_samples_scraped{job!="prometheus"}').values())


def test_usage_and_objects_are_what_the_cluster_has(watched):
    used = ask('rate(container_cpu_usage_seconds_total{namespace="default"}[2m])')
    assert len(used) == 2
    assert all(0 < each < 1 for each in used.values())
    assert ask('kube_deployment_status_replicas_available{deployment="web"} + 0') == {
        (("deployment", "web"), ("instance", ksm()), ("job", "kube-state-metrics"), ("namespace", "default")): 2
    }
    assert ask('count(kube_pod_status_phase{phase="Running",namespace="default"} == 1)') == {(): 2}


def ksm() -> str:
    return next(dict(key)["instance"] for key in ask('up{job="kube-state-metrics"}'))


def test_the_proxy_of_the_api_server_leads_to_the_same_answers(watched):
    assert ask("sum(up)", PROXY) == ask("sum(up)") == {(): UP}


def test_a_range_a_label_and_a_series_are_answered_as_grafana_wants_them(watched):
    end = (EPOCH + watched.world.clock.now) / 1e6
    found = fetch(f"{SHORT}/query_range?query=sum(up)&start={end - 60}&end={end}&step=15s").json()["data"]
    assert found["resultType"] == "matrix"
    assert [value for _, value in found["result"][0]["values"]] == [str(UP)] * 5
    assert fetch(f"{SHORT}/label/node/values").json()["data"] == ["worker-1", "worker-2"]
    assert "namespace" in fetch(f"{SHORT}/labels").json()["data"]
    series = fetch(f"{SHORT}/series?match[]=up").json()["data"]
    assert len(series) == UP
    body = b"query=1%2B1"
    posted = fetch(f"{SHORT}/query", method="POST", body=body, content_type="application/x-www-form-urlencoded")
    assert posted.json()["data"]["result"][1] == "2"


def test_a_bad_query_is_refused_in_prometheus_envelope(watched):
    refused = fetch(f"{SHORT}/query?query=rate(up)")
    assert refused.status == 400
    assert refused.json() == {
        "status": "error",
        "errorType": "bad_data",
        "error": 'invalid parameter "query": parse error: '
        "expected type matrix in call to function 'rate', got vector",
    }


def test_a_node_without_power_is_down(watched):
    away = next(node for node in ("worker-1", "worker-2") if node != prometheus_node(watched))
    watched.power_off(away)
    watched.watch(30)
    assert set(ask(f'up{{node="{away}"}}').values()) == {0}
    assert not ask(f'machine_cpu_cores{{node="{away}"}}')


def prometheus_node(cluster) -> str:
    return next(
        pod["spec"]["nodeName"]
        for pod in cluster.objects("Pod", "kube-system")
        if pod["metadata"]["name"].startswith("prometheus")
    )


def test_without_a_pod_of_it_nothing_is_scraped_and_asking_is_503_until_it_is_back(watched):
    merge = {"content_type": "application/merge-patch+json"}
    watched.request("PATCH", DEPLOYMENT, {"spec": {"replicas": 0}}, **merge)
    watched.watch(60)
    for base in (SHORT, PROXY):
        refused = fetch(f"{base}/query?query=up")
        assert refused.status == 503
        assert b'no endpoints available for service "prometheus"' in refused.body.replace(b"\\", b"")
    watched.request("PATCH", DEPLOYMENT, {"spec": {"replicas": 1}}, **merge)
    watched.watch(120)
    assert ask("sum(up)") == {(): UP}
    end = (EPOCH + watched.world.clock.now) / 1e6
    scrapes = ask(f'count_over_time(up{{job="apiserver"}}[{int(end - EPOCH / 1e6)}s])')
    assert next(iter(scrapes.values())) < (end - EPOCH / 1e6) / 15 - 3


def test_counters_of_cpu_never_go_down_also_for_another_owner(watched):
    watched.gathering = Gathering(watched.gathering._gatherers[0]._cluster, 0)
    watched.watch(60)
    assert set(ask("sum by (job) (resets(container_cpu_usage_seconds_total[10m]))").values()) == {0}


def alerts() -> dict[str, tuple[str, str]]:
    found = fetch(f"{SHORT}/alerts").json()["data"]["alerts"]
    return {each["labels"]["alertname"]: (each["state"], each["annotations"]["summary"]) for each in found}


def test_an_alert_is_pending_then_firing_and_then_over(watched):
    assert alerts() == {}
    away = next(node for node in ("worker-1", "worker-2") if node != prometheus_node(watched))
    watched.power_off(away)
    watched.watch(30)
    assert alerts()["TargetDown"][0] == "pending"
    watched.watch(105)
    state, summary = alerts()["TargetDown"]
    assert state == "firing"
    assert summary.endswith("can't be scraped")
    assert "{{" not in summary
    assert set(ask('ALERTS{alertname="TargetDown",alertstate="firing"}').values()) == {1}
    groups = {each["name"]: each for each in fetch(f"{SHORT}/rules").json()["data"]["groups"]}
    group = groups["kubernetes"]
    assert {rule["name"]: rule["state"] for rule in group["rules"]}["TargetDown"] == "firing"
    watched.power_on(away)
    watched.watch(90)
    assert "TargetDown" not in alerts()


def test_a_configuration_that_can_t_be_read_is_told(watched):
    path = "/api/v1/namespaces/kube-system/configmaps/prometheus"
    broken = {"data": {"prometheus.yml": "global: {scrape_interval: soon}"}}
    watched.request("PATCH", path, broken, content_type="application/merge-patch+json")
    refused = fetch(f"{SHORT}/rules")
    assert refused.status == 422
    assert 'not a valid duration string: "soon"' in refused.json()["error"]


def test_kube_state_metrics_tells_the_same_as_prometheus_has_of_it(watched):
    answer = fetch("/api/v1/namespaces/kube-system/services/kube-state-metrics:8080/proxy/metrics")
    families = {each.name: each for each in text_string_to_metric_families(answer.body.decode())}
    assert families["kube_pod_container_status_restarts"].type == "counter"
    told = {
        (each.labels["namespace"], each.labels["pod"], each.labels["phase"]): each.value
        for each in families["kube_pod_status_phase"].samples
    }
    kept = {
        (dict(key)["namespace"], dict(key)["pod"], dict(key)["phase"]): value
        for key, value in ask("kube_pod_status_phase").items()
    }
    assert told == kept


def test_labels_are_escaped_in_the_text():
    odd = 'a"b\\c\nd'
    text = text_of([sample("kube_node_info", 1, node=odd)])
    (family,) = text_string_to_metric_families(text)
    assert family.samples[0].labels == {"node": odd}


def test_a_scraper_that_was_far_too_late_rests(watched):
    gatherer = next(each for each in watched.gathering._gatherers if isinstance(each, Scraper))
    watched.run_for(15)
    gatherer.gather(watched.world.site, monotonic() - 1_000)  # It should have been done long ago.
    assert ask('count_over_time(up{job="apiserver"}[45s]) > 0')
    watched.watch(60)
    assert ask('count_over_time(up{job="apiserver"}[45s]) > 0') == {}


def test_load_generators_tell_what_came_of_their_requests(transactional_db):
    options = {"nodes": 2, "addons": ["kube-proxy", "coredns", "prometheus", "load-generators"]}
    row = Cluster.objects.create(name="lab", seed=7, epoch=EPOCH, engine="test", options=options)
    cluster = Watched(World.create(7, EPOCH, options, row.pk, 0))
    cluster.gathering = Gathering(row.pk, 0)
    cluster.settle()
    cluster.with_objects(a_deployment("web", replicas=2), a_service("web")).run_for(30)
    cluster.request("POST", PATH, a_load_generator(rate=40))
    cluster.watch(300)

    assert ask('sum(rate(http_client_requests_total{job="load",code="200"}[1m]))') == {(): pytest.approx(40, rel=0.02)}
    assert list(ask('http_client_request_duration_seconds{quantile="0.99"}').values()) == [pytest.approx(0.0005)]


def refused(path: str) -> tuple[int, str, str]:
    answer = fetch(f"{SHORT}/{path}")
    return answer.status, answer.json()["errorType"], answer.json()["error"]


def test_a_range_vector_of_one_moment_is_answered_sample_by_sample(watched):
    query = quote('up{job="apiserver"}[1m]')
    answer = fetch(f"{SHORT}/query?query={query}").json()["data"]
    assert answer["resultType"] == "matrix"
    (series,) = answer["result"]
    assert [value for _, value in series["values"]] == ["1"] * 4
    assert series["values"][1][0] - series["values"][0][0] == 15
    subquery = fetch(f"{SHORT}/query?query={quote('sum(up)[1m:30s]')}").json()["data"]
    assert [value for _, value in subquery["result"][0]["values"]] == [str(UP)] * 2
    assert refused("query_range?query=up[1m]&start=0&end=10&step=1") == (
        400,
        "bad_data",
        'invalid parameter "query": invalid expression type "range vector" for range query, '
        "must be Scalar or instant Vector",
    )


def test_numbers_without_bound_are_refused_or_find_nothing(watched):
    for path in ("query?query=up&time=1e300", "query?query=up&time=-1e300", "query?query=up%20@%201e300"):
        assert fetch(f"{SHORT}/{path}").json()["data"]["result"] == []
    assert fetch(f"{SHORT}/query_range?query=up&start=0&end=1&step=1e300").status == 200
    assert refused("query_range?query=up&start=0&end=1e300&step=1")[2].startswith("exceeded maximum resolution")
    assert refused("query?query=up&time=nan")[2] == 'invalid parameter "time": cannot parse "nan" to a valid timestamp'


def test_a_query_with_a_timeout_of_its_own_says_when_it_was_too_short(watched):
    assert refused("query?query=up&timeout=0ms") == (503, "timeout", "query timed out in expression evaluation")
    assert refused("query?query=up&timeout=soon")[:2] == (400, "bad_data")


def test_a_query_that_is_too_deep_harms_nobody(watched):
    told = 'invalid parameter "query": parse error: the query has more than 250 operators and brackets'
    assert refused(f"query?query={'(' * 5_000}") == (400, "bad_data", told)
    assert refused(f"series?match[]={'(' * 5_000}")[2] == told
    assert refused(f"format_query?query={'(' * 5_000}")[2] == told


def test_a_limit_cuts_what_is_listed_and_says_so(watched):
    found = fetch(f"{SHORT}/label/job/values?limit=2").json()
    assert found["data"] == ["apiserver", "etcd"]
    assert found["warnings"] == ["results truncated due to limit"]
    assert "warnings" not in fetch(f"{SHORT}/label/job/values?limit=100").json()
    assert len(fetch(f"{SHORT}/series?match[]=up&limit=3").json()["data"]) == 3
    assert len(fetch(f"{SHORT}/metadata?limit=3").json()["data"]) == 3
    assert refused("labels?limit=many")[:2] == (400, "bad_data")
    assert refused("label/a-b/values") == (400, "bad_data", 'invalid label name: "a-b"')
