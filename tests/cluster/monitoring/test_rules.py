"""Rules: what is recorded under a name of its own, and the alerts that the add-on comes with."""

import pytest

from cluster.monitoring import rules
from cluster.monitoring.store import Store
from tests.builders import a_deployment
from tests.cluster.gateway.asgi import fetch
from tests.cluster.monitoring.test_prometheus import SHORT, alerts, ask

CONFIG = "/api/v1/namespaces/kube-system/configmaps/prometheus"
MERGE = "application/merge-patch+json"


def configure(cluster, file: str) -> None:
    main = "global: {scrape_interval: 15s}\nrule_files: [/etc/prometheus/mine.yml]"
    cluster.request("PATCH", CONFIG, {"data": {"prometheus.yml": main, "mine.yml": file}}, content_type=MERGE)


CHAIN = """
groups:
- name: mine
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
    labels: {team: blue}
  - record: all:up:sum
    expr: sum(job:up:sum)
  - alert: ManyTargets
    expr: all:up:sum > 3
"""


def test_a_recorded_value_is_a_series_and_later_rules_see_it_at_once(watched):
    configure(watched, CHAIN)
    watched.watch(15)
    assert ask('job:up:sum{job="etcd"}') == {(("__name__", "job:up:sum"), ("job", "etcd"), ("team", "blue")): 3}
    assert ask("all:up:sum + 0") == ask("sum(up)")
    assert "ManyTargets" in {alert["labels"]["alertname"] for alert in firing()}


def firing() -> list:
    return [each for each in fetch(f"{SHORT}/alerts").json()["data"]["alerts"] if each["state"] == "firing"]


def test_recording_rules_are_shown_beside_alerts(watched):
    configure(watched, CHAIN)
    watched.watch(15)
    (group,) = fetch(f"{SHORT}/rules").json()["data"]["groups"]
    shown = {each["name"]: each["type"] for each in group["rules"]}
    assert shown == {"job:up:sum": "recording", "all:up:sum": "recording", "ManyTargets": "alerting"}


@pytest.mark.parametrize("name", ["with space", "1digit", ""])
def test_a_name_that_no_series_can_have_is_refused(watched, name):
    configure(watched, f"groups: [{{name: g, rules: [{{record: '{name}', expr: up}}]}}]")
    refused = fetch(f"{SHORT}/rules")
    assert refused.status == 422
    assert "invalid recording rule name" in refused.json()["error"]


def test_the_rules_of_the_add_on_are_recorded(watched):
    used = "node_namespace_pod_container:container_cpu_usage_seconds_total:sum_rate5m"
    assert {dict(key)["namespace"] for key in ask(used)} == {"default", "kube-system"}
    assert ask('code_resource:apiserver_request_total:rate5m{resource="leases",code="200"}')


def test_the_last_scrape_is_all_of_its_samples(watched):
    at, values = Store(watched.world.identity).last()
    assert at > 0
    assert len(values) > 500


@pytest.mark.parametrize(
    ("process", "alert"),
    [("kube-scheduler", "KubeSchedulerDown"), ("kube-controller-manager", "KubeControllerManagerDown")],
)
def test_a_stopped_process_is_told(watched, process, alert):
    watched.act("component-stop", component=process)
    for _ in range(20):  # On a busy machine the scraper rests now and then.
        if alerts().get(alert, [""])[0] == "firing":
            break
        watched.watch(30)
    assert alerts()[alert][0] == "firing"
    watched.act("component-start", component=process)
    watched.watch(60)
    assert alert not in alerts()


def test_etcd_without_a_majority_is_told(watched):
    for member in ("etcd-1", "etcd-2"):
        watched.act("etcd", op="stop", member=member)
    watched.watch(90)
    found = alerts()
    assert found["etcdNoLeader"] == ("firing", "etcd member etcd-0:2381 has no leader")
    assert found["etcdInsufficientMembers"] == ("firing", "etcd has 1 members left, which is no majority")
    assert found["KubeAPIErrorsHigh"][0] == "pending"
    assert found["KubeAPIErrorsHigh"][1].endswith("% of all requests")


def test_a_job_that_failed_is_told(watched):
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", "exit 1"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "doomed", "namespace": "default"}}
    watched.create({**job, "spec": {"backoffLimit": 0, "template": template}})
    watched.watch(120)
    assert alerts()["KubeJobFailed"] == ("firing", "Job default/doomed failed to complete")


def test_a_throttled_container_is_told(watched):
    hungry = a_deployment("hungry", replicas=1)
    container = hungry["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": "polinux/stress", "command": ["stress", "--cpu", "2"]}
    container["resources"] = {"limits": {"cpu": "100m"}}
    watched.create(hungry)
    watched.watch(120)
    state, summary = alerts()["CPUThrottlingHigh"]
    assert state == "pending"
    assert summary.endswith("is throttled in 100% of its periods")


def test_a_rule_that_asks_for_what_another_recorded_waits_for_it():
    first = rules.recording_of("g", {"record": "a:b:c", "expr": "up"})
    second = rules.recording_of("g", {"record": "d:e:f", "expr": "sum(a:b:c)"})
    third = rules.recording_of("g", {"record": "g:h:i", "expr": "up"})
    assert list(rules.batches([first, second, third])) == [[first], [second, third]]


def test_a_query_is_formatted_and_the_store_says_what_it_holds(watched):
    formatted = fetch(f"{SHORT}/format_query?query=sum(rate(up%5B5m%5D))by(job)").json()["data"]
    assert formatted == "sum by (job) (rate(up[5m]))"
    assert fetch(f"{SHORT}/query_exemplars?query=up").json() == {"status": "success", "data": []}
    told = fetch(f"{SHORT}/status/tsdb").json()["data"]
    assert told["headStats"]["numSeries"] > 500
    assert len(told["seriesCountByMetricName"]) == 10
    assert "rule_files" in fetch(f"{SHORT}/status/config").json()["data"]["yaml"]


ODD = """
groups:
- name: odd
  rules:
  - alert: Ambiguous
    expr: up * on () up
  - alert: Labelled
    expr: sum by (job) (up{job="etcd"}) * 1e6
    labels: {who: "{{ $labels.job }}", none: "{{ $labels.nothing }}"}
    annotations: {summary: "{{ $value }} {{ $value | humanize }} {{- $labels.who }}"}
"""


def test_a_rule_that_cannot_be_evaluated_is_told_and_hides_no_other(watched):
    configure(watched, ODD)
    watched.watch(15)
    (group,) = fetch(f"{SHORT}/rules").json()["data"]["groups"]
    assert (group["interval"], group["rules"][0]["health"]) == (15, "err")
    assert "many-to-many matching not allowed" in group["rules"][0]["lastError"]
    assert group["rules"][1]["health"] == "ok"
    (alert,) = fetch(f"{SHORT}/alerts").json()["data"]["alerts"]
    assert alert["labels"] == {"alertname": "Labelled", "job": "etcd", "who": "etcd"}
    assert alert["value"] == "3e+06"
    assert alert["annotations"]["summary"].startswith("3e+06 3M")


def test_a_rule_of_a_hundred_thousand_brackets_is_refused(watched):
    configure(watched, f"groups: [{{name: g, rules: [{{record: deep, expr: '{'(' * 100_000}'}}]}}]")
    assert "more than 250 operators and brackets" in fetch(f"{SHORT}/rules").json()["error"]


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\ngroups: [{name: g, rules: [{record: r, expr: *b}]}]"


@pytest.mark.parametrize(("file", "words"), [("[" * 20_000, "exceeded max depth"), (BOMB, "aliases are not read")])
def test_rules_that_are_too_deep_or_grow_when_read_are_refused(watched, file, words):
    configure(watched, file)
    refused = fetch(f"{SHORT}/rules")
    assert (refused.status, words in refused.json()["error"]) == (422, True)
