"""Jobs, cron jobs, daemons, numbered pods and the old replication controllers, beyond what the recordings show."""

import pytest

from cluster.objects import conditions, meta, pods
from tests.builders import a_cluster

WORK = {"containers": [{"name": "work", "image": "busybox:1.36", "command": ["sh", "-c", "exit 0"]}]}
SERVE = {"containers": [{"name": "app", "image": "nginx:1.27"}]}


def a_job(name, command="exit 0", restart="Never", **spec):
    pod = {"containers": [{"name": "work", "image": "busybox:1.36", "command": ["sh", "-c", command]}]}
    template = {"spec": {**pod, "restartPolicy": restart}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template, **spec}}


def a_workload(kind, name, **spec):
    body = {"selector": {"matchLabels": {"app": name}}, **spec}
    body["template"] = {"metadata": {"labels": {"app": name}}, "spec": SERVE}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": body}


def has_ended(name):
    def ended(cluster):
        job = cluster.get("Job", name)
        return conditions.is_true(job, "Complete") or conditions.is_true(job, "Failed")

    return ended


def names(found):
    return sorted(meta.name(obj) for obj in found)


def test_a_job_counts_each_pod_once_and_keeps_none_back():
    cluster = a_cluster().with_objects(a_job("sum", completions=5, parallelism=2)).run_until(has_ended("sum"))

    job = cluster.get("Job", "sum")
    assert (job["status"]["succeeded"], job["status"]["uncountedTerminatedPods"]) == (5, {})
    assert not any(pod["metadata"].get("finalizers") for pod in cluster.objects("Pod"))


def test_a_job_that_fails_waits_longer_each_time():
    cluster = a_cluster().with_objects(a_job("bad", "exit 3", backoffLimit=2)).run_until(has_ended("bad"))

    assert conditions.get(cluster.get("Job", "bad"), "Failed")["reason"] == "BackoffLimitExceeded"
    begun = sorted(meta.created_at(pod) for pod in cluster.objects("Pod"))
    gaps = [int(later[-3:-1]) + 60 * int(later[-6:-4]) for later in begun]
    assert gaps[1] - gaps[0] >= 10
    assert gaps[2] - gaps[1] >= 20


def test_a_rebuilt_world_remembers_how_often_a_job_failed():
    cluster = a_cluster().with_objects(a_job("bad", "exit 3", backoffLimit=2)).run_for(20)

    fork = cluster.world.fork()

    assert fork.dump() == cluster.world.dump()


def test_an_index_that_may_fail_is_tried_again_with_its_count():
    job = a_job("idx", "exit 1", completions=1, completionMode="Indexed", backoffLimitPerIndex=1)
    cluster = a_cluster().with_objects(job).run_until(has_ended("idx"))

    counts = [meta.annotations(p)["batch.kubernetes.io/job-index-failure-count"] for p in cluster.objects("Pod")]
    assert sorted(counts) == ["0", "1"]
    assert cluster.get("Job", "idx")["status"]["failedIndexes"] == "0"


def test_a_success_policy_ends_a_job_early():
    rules = {"rules": [{"succeededIndexes": "0"}]}
    command = 'if [ "$JOB_COMPLETION_INDEX" = 0 ]; then exit 0; fi; sleep 1000'
    job = a_job("lead", command, completions=3, parallelism=3, completionMode="Indexed", successPolicy=rules)
    cluster = a_cluster().with_objects(job).run_until(has_ended("lead"))

    assert conditions.get(cluster.get("Job", "lead"), "Complete")["reason"] == "SuccessPolicy"


def test_pods_of_a_job_that_is_gone_lose_the_finalizer_that_counts_them():
    cluster = a_cluster().with_objects(a_job("long", "sleep 1000")).run_for(5)
    cluster.request("DELETE", "/apis/batch/v1/namespaces/default/jobs/long", {"propagationPolicy": "Background"})

    cluster.run_for(60)

    assert cluster.objects("Pod", "default") == []


@pytest.mark.parametrize(("policy", "running"), [("Allow", 3), ("Forbid", 1), ("Replace", 1)])
def test_a_cron_job_treats_its_last_job_as_its_policy_says(policy, running):
    template = {"spec": {"template": a_job("x", "sleep 1000")["spec"]["template"]}}
    spec = {"schedule": "* * * * *", "concurrencyPolicy": policy, "jobTemplate": template}
    cron_job = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"}, "spec": spec}

    cluster = a_cluster().with_objects(cron_job).run_for(185)

    assert len(cluster.objects("Job", "default")) == running


def test_a_cron_job_follows_the_clocks_of_its_zone():
    template = {"spec": {"template": a_job("x")["spec"]["template"]}}
    spec = {"schedule": "* * * * *", "timeZone": "Asia/Tokyo", "jobTemplate": template}
    cron_job = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"}, "spec": spec}

    cluster = a_cluster().with_objects(cron_job).run_for(65)

    [job] = cluster.objects("Job", "default")
    assert meta.annotations(job)["batch.kubernetes.io/cronjob-scheduled-timestamp"].endswith("+09:00")


def test_a_daemon_comes_with_a_node_and_goes_with_its_label():
    daemons = a_workload("DaemonSet", "agent")
    daemons["spec"]["template"]["spec"] = {**SERVE, "nodeSelector": {"disk": "ssd"}}
    cluster = a_cluster(nodes=2).with_objects(daemons).settled()
    cluster.request(
        "PATCH", "/api/v1/nodes/worker-1", {"metadata": {"labels": {"disk": "ssd"}}},
        content_type="application/merge-patch+json",
    )  # fmt: skip
    [daemon] = cluster.settle().pods_of("agent")

    cluster.request(
        "PATCH", "/api/v1/nodes/worker-1", {"metadata": {"labels": {"disk": None}}},
        content_type="application/merge-patch+json",
    )  # fmt: skip

    assert daemon["spec"]["nodeName"] == "worker-1"
    assert cluster.settle().pods_of("agent") == []


def test_a_surge_brings_the_new_daemon_before_the_old_one_goes():
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    daemons = a_workload("DaemonSet", "agent", updateStrategy=rolling)
    cluster = a_cluster(nodes=1).with_objects(daemons).settled()
    image = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "nginx:1.28"}]}}}}
    cluster.patch(daemons, image)

    together = cluster.run_until(lambda c: len(c.pods_of("agent")) == 2, 60)
    cluster = together.settle()

    [daemon] = cluster.pods_of("agent")
    assert daemon["spec"]["containers"][0]["image"] == "nginx:1.28"


def test_a_numbered_pod_waits_for_the_one_before_and_comes_back_under_its_name():
    cluster = a_cluster().with_objects(a_workload("StatefulSet", "db", serviceName="db", replicas=2))
    cluster.run_until(lambda c: c.get("Pod", "db-0") is not None, 60)
    first = cluster.get("Pod", "db-0")
    assert (cluster.get("Pod", "db-1"), pods.is_ready(first)) == (None, False)
    cluster.settle()

    cluster.delete(first)
    cluster.settle()

    assert names(cluster.pods_of("db")) == ["db-0", "db-1"]
    assert meta.uid(cluster.get("Pod", "db-0")) != meta.uid(first)


def test_a_partition_counts_places_whatever_the_numbers_begin_with():
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    stateful = a_workload(
        "StatefulSet", "db", serviceName="db", replicas=3, ordinals={"start": 5}, updateStrategy=strategy
    )
    cluster = a_cluster().with_objects(stateful).settled()

    containers = [{"name": "main", "image": "nginx:1.28"}]
    cluster.patch(cluster.get("StatefulSet", "db"), {"spec": {"template": {"spec": {"containers": containers}}}})
    cluster.run_for(300)
    cluster.delete(cluster.get("Pod", "db-5"))
    cluster.run_for(120)

    images = {meta.name(pod): pod["spec"]["containers"][0]["image"] for pod in cluster.objects("Pod", "default")}
    assert {name: image == "nginx:1.28" for name, image in images.items()} == {
        "db-5": False,
        "db-6": True,
        "db-7": True,
    }


def test_a_numbered_pod_has_a_claim_that_outlives_it():
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    templates = [{"metadata": {"name": "data"}, "spec": claim}]
    stateful = a_workload("StatefulSet", "db", serviceName="db", volumeClaimTemplates=templates)
    cluster = a_cluster().with_objects(stateful).run_for(10)

    cluster.request("DELETE", "/apis/apps/v1/namespaces/default/statefulsets/db")
    cluster.run_for(60)

    assert names(cluster.objects("PersistentVolumeClaim")) == ["data-db-0"]
    assert cluster.get("Pod", "db-0") is None


def test_a_replication_controller_keeps_its_pods():
    template = {"metadata": {"labels": {"app": "old"}}, "spec": SERVE}
    body = {"replicas": 2, "template": template}
    controller = {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "old"}, "spec": body}
    cluster = a_cluster().with_objects(controller).settled()

    cluster.delete(cluster.pods_of("old")[0])
    cluster.settle()

    assert len(cluster.pods_of("old")) == 2
    assert cluster.get("ReplicationController", "old")["status"]["readyReplicas"] == 2


def test_looking_again_at_settled_workloads_writes_nothing():
    cluster = a_cluster().with_objects(
        a_workload("StatefulSet", "db", serviceName="db", replicas=2), a_workload("DaemonSet", "agent"), a_job("done")
    )
    cluster.run_for(120)
    before = [w for w in cluster.world.revisions() if "/leases/" not in w.key and "/minions/" not in w.key]

    cluster.run_for(120)

    after = [w for w in cluster.world.revisions() if "/leases/" not in w.key and "/minions/" not in w.key]
    assert [w.key for w in after[len(before) :]] == []
