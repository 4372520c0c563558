"""The container runtime: what the kubelet reaches over CRI, and the programs that "run" in containers.

Nothing is ever executed. A container is a *record* (containers.py): plain data with an image, a command, a
seed, a start and perhaps an end. What it prints and uses is computed from the record when somebody looks, so
an idle cluster costs nothing and the logs of a week need no disk.

    cri.py          RunPodSandbox, PullImage, CreateContainer … over cells; every call says how long it takes
    machines.py     the computer under the node: power, capacity, images on its disk
    images.py       the catalogue: reference -> program, size, digest
    network.py      pod addresses out of a node's podCIDR
    containers.py   the record, and the program that belongs to it
    programs/       nginx, redis, busybox … each a pure function of its record
    logs.py usage.py   what the API server's side computes from committed records

Mirrors:  containerd behind k8s.io/cri-api/pkg/apis/runtime/v1 (RuntimeService, ImageService)
Read next: containers.py, then programs/program.py.
"""
