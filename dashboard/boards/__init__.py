"""Ready dashboards, as data: what each shows, in PromQL, and what it means, in a sentence.

    board.py          the nouns: Board, Graph, Line, Stat
    cluster.py …      one dashboard each
    variables.py      $namespace, $node, $workload and $pod: what can be chosen, and what stands in the query

A dashboard is one file and one line here. Where a series does not exist, its graph says so.

Read next: board.py; dashboard/graphs.py, which evaluates them.
"""

from dashboard.boards import api_server, cluster, controllers, dns, etcd, node, pod, scheduler, workload

BOARDS = {
    board.name: board
    for board in (
        cluster.BOARD,
        node.BOARD,
        workload.BOARD,
        pod.BOARD,
        api_server.BOARD,
        scheduler.BOARD,
        controllers.BOARD,
        etcd.BOARD,
        dns.BOARD,
    )
}
