from cluster.engine.informer import Informers


def an_object(name, node=""):
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": {"nodeName": node}}


def test_lists_come_in_order_of_creation_also_after_joining_an_index_late():
    informers = Informers()
    informers.add_index("Pod", "node", lambda pod: [pod["spec"]["nodeName"]] if pod["spec"]["nodeName"] else [])
    first, second = an_object("first"), an_object("second")
    informers.apply("Pod", "default/first", None, first, 1)
    informers.apply("Pod", "default/second", None, second, 2)

    informers.apply("Pod", "default/second", second, an_object("second", "w-1"), 2)
    informers.apply("Pod", "default/first", first, an_object("first", "w-1"), 1)

    names = [pod["metadata"]["name"] for pod in informers.by_index("Pod", "node", "w-1")]
    assert names == ["first", "second"]


def test_a_deleted_object_leaves_every_index_and_its_handlers_hear_of_it():
    informers, heard = Informers(), []
    informers.add_index("Pod", "node", lambda pod: [pod["spec"]["nodeName"]])
    informers.subscribe("Pod", lambda old, new: heard.append((old and "old", new and "new")))
    pod = an_object("web", "w-1")
    informers.apply("Pod", "default/web", None, pod, 1)

    informers.apply("Pod", "default/web", pod, None, 1)

    assert heard == [(None, "new"), ("old", None)]
    assert informers.by_index("Pod", "node", "w-1") == informers.list("Pod") == []
