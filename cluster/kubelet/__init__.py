"""The kubelet: one on every node. It makes the containers of its node's pods real, and reports on them.

It is handed pods that already have a node; it never chooses one, moves one, or makes a new one. When a
*container* dies it starts it again. When a *pod* is deleted it ends it and is done: a replacement is the
ReplicaSet controller's business, who makes another pod.

    kubelet.py       the process: registers its node, renews its lease, wakes up for its pods
    pod_worker.py    one pod from ContainerCreating to its end
    containers.py    one container: image, start, end, and again
    pod_status.py    what is reported of a pod             node_status.py   and of the node
    probes.py        is it up, alive, ready?               hooks.py         postStart and preStop
    restarts.py      CrashLoopBackOff                      scripts.py       containers scripted by annotations
    admission.py     which pods it refuses                 eviction.py      and gives up when memory is short
    local_storage.py limits on what pods write             static_pods.py   pods from files, and their mirrors
    shutdown.py      a machine that is shut down in order
    environment.py   environment variables and volumes     server.py        logs, for the API server

Mirrors:  kubernetes/pkg/kubelet
Left out: eviction for disk and PIDs: later issues.
Read next: kubelet.py, then pod_worker.py.
"""
