"""ComponentStatuses as a client reads them: out of committed rows, also when etcd has no quorum."""

from tests.cluster.gateway.asgi import fetch

PATH = "/api/v1/componentstatuses"


def healthy(answer) -> dict:
    items = answer.json()["items"]
    return {item["metadata"]["name"]: item["conditions"][0]["status"] for item in items}


def test_a_stopped_scheduler_is_unhealthy_in_a_list_and_alone(lab):
    assert healthy(fetch(PATH)) == {"etcd-0": "True", "scheduler": "True", "controller-manager": "True"}
    lab.act("component-stop", component="kube-scheduler/1")
    lab.world.commit()

    assert healthy(fetch(PATH)) == {"etcd-0": "True", "scheduler": "False", "controller-manager": "True"}
    alone = fetch(f"{PATH}/scheduler").json()["conditions"][0]
    assert alone["message"].endswith("connect: connection refused")


def test_without_a_quorum_they_still_answer_and_say_so(lab):
    for member in ("etcd-1", "etcd-2"):
        lab.act("etcd", op="stop", member=member)
    lab.run_for(10)
    lab.world.commit()

    answer = fetch(PATH)
    assert answer.status == 200
    assert healthy(answer)["etcd-0"] == "False"
