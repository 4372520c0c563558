"""Each click is told as the command that does the same."""

from dashboard.said import in_words, object_path
from dashboard.templatetags.orrery import flags


def test_a_click_on_the_map_is_told_as_a_manage_command():
    assert in_words({"type": "power-off", "node": "worker-2"}) == {
        "v": "python manage.py node power-off worker-2",
        "short": "power off worker-2",
    }


def test_a_click_that_is_an_api_request_is_told_as_its_kubectl_line_with_the_request_below():
    request = {
        "type": "api",
        "method": "PATCH",
        "path": "/apis/apps/v1/namespaces/shop/deployments/web/scale",
    }
    request["headers"] = {"x-orrery-line": "kubectl scale deployment web --replicas=3 -n shop"}

    words = in_words(request)

    assert words["v"] == "kubectl scale deployment web --replicas=3 -n shop"
    assert words["http"] == "PATCH /apis/apps/v1/namespaces/shop/deployments/web/scale"
    assert words["short"] == "scale deployment web"


def test_a_request_of_the_real_kubectl_is_a_note_not_a_command():
    headers = {"user-agent": "kubectl/v1.37.1 (linux/amd64)"}
    words = in_words(
        {"type": "api", "method": "DELETE", "path": "/api/v1/namespaces/default/pods/a", "headers": headers}
    )

    assert words["v"] == "# kubectl/v1.37.1: DELETE /api/v1/namespaces/default/pods/a"
    assert words["note"] is True


def test_paths_are_those_of_the_real_api():
    assert object_path("v1", "pods", "shop", "a", "eviction") == "/api/v1/namespaces/shop/pods/a/eviction"
    assert object_path("apps/v1", "deployments", "shop", "") == "/apis/apps/v1/namespaces/shop/deployments"
    assert object_path("v1", "nodes", "", "worker-1") == "/api/v1/nodes/worker-1"


def test_a_command_for_another_cluster_names_it():
    assert in_words({"type": "clock", "op": "step", "by": "tick"}, "shop")["v"] == (
        "python manage.py clock step --by tick --cluster shop"
    )


def test_a_flag_of_a_command_stays_on_one_line_and_nothing_in_it_is_markup():
    assert flags("kubectl scale deployment/a-b --replicas=4 -n x") == (
        'kubectl scale deployment/a-b <span class="nb">--replicas=4</span> <span class="nb">-n</span> x'
    )
    assert "<b>" not in flags("kubectl label node <b> --x=<b>")
