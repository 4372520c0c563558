"""A scheduler of your own, in Python, beside or instead of kube-scheduler.

    python examples/external_scheduler.py KUBECONFIG [NAME]

It binds pods whose schedulerName is NAME (default: other), each to the ready node with the fewest pods. Nothing in here
knows Orrery: it works with any cluster.
"""

import sys
from collections import Counter
from datetime import UTC, datetime

from kubernetes import client, config, watch


def is_ready(node):
    ready = any(c.type == "Ready" and c.status == "True" for c in node.status.conditions or ())
    return ready and not node.spec.unschedulable and not node.spec.taints


def emptiest(core):
    """The name of the ready node with the fewest pods, or None."""
    pods = Counter(pod.spec.node_name for pod in core.list_pod_for_all_namespaces().items)
    return min((n.metadata.name for n in core.list_node().items if is_ready(n)), key=pods.__getitem__, default=None)


def bind(core, pod, node, scheduler):
    target = client.V1ObjectReference(kind="Node", api_version="v1", name=node)
    meta = client.V1ObjectMeta(name=pod.metadata.name, namespace=pod.metadata.namespace)
    binding = client.V1Binding(metadata=meta, target=target)
    core.create_namespaced_binding(meta.namespace, binding, _preload_content=False)  # The answer is a Status.
    about = client.V1ObjectReference(kind="Pod", api_version="v1", name=meta.name, namespace=meta.namespace)
    about.uid, now = pod.metadata.uid, datetime.now(UTC)
    core.create_namespaced_event(meta.namespace, client.CoreV1Event(
        metadata=client.V1ObjectMeta(generate_name=f"{meta.name}-"), involved_object=about, type="Normal",
        reason="Scheduled", message=f"Successfully assigned {meta.namespace}/{meta.name} to {node}", event_time=now,
        action="Binding", reporting_component=scheduler, reporting_instance=scheduler))  # fmt: skip


def main(kubeconfig, scheduler="other"):
    core = client.CoreV1Api(config.new_client_from_config(kubeconfig))
    waiting = f"spec.nodeName=,spec.schedulerName={scheduler}"
    print(f"scheduling for {scheduler}", flush=True)
    for event in watch.Watch().stream(core.list_pod_for_all_namespaces, field_selector=waiting):
        pod = event["object"]
        if event["type"] not in ("ADDED", "MODIFIED") or pod.metadata.deletion_timestamp:
            continue
        node = emptiest(core)
        if node:
            bind(core, pod, node, scheduler)
            print(f"{pod.metadata.namespace}/{pod.metadata.name} -> {node}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
