"""kube-scheduler: which node should this pod run on? It only decides; the kubelet of that node does the work.

    queue.py       who is next: active, backing off, unschedulable, gated
    snapshot.py    what the nodes look like now: rows of numbers, kept current by informer events
    framework.py   the extension points, run over all nodes at once
    plugins/       one reason a file to refuse a node or to like it
    profile.py     which plugins are on, in which order, with which weight
    verdict.py     what is kept of every decision           explain.py   how that is told to people
    scheduler.py   the component that ties it together

Mirrors: kubernetes/pkg/scheduler
"""
