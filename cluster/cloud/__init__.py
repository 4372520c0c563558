"""The cloud that the machines are rented from, and cloud-controller-manager, which asks it for the cluster.

    node.py         nodes that are new         nodelifecycle.py    nodes that are silent
    service.py      load balancers             route.py            which machine a pod is behind
    health.py       which machines behind a balancer get traffic
    csi.py          disks for claims           csiattacher.py      disks at machines (the CSI driver)

    provider.py     the API: calls take time, are counted, throttled, refused. Begin here
    inventory.py    what is rented, and the quotas
    machines.py, balancers.py, routes.py, disks.py     what can be asked of each

Mirrors:  kubernetes/cmd/cloud-controller-manager, k8s.io/cloud-provider, and the API of any cloud
Left out: networks, prices, users.
"""

from cluster.cloud.csi import CsiProvisioner, CsiRegistrar
from cluster.cloud.csiattacher import CsiAttacher
from cluster.cloud.node import CloudNodeController
from cluster.cloud.nodelifecycle import CloudNodeLifecycleController
from cluster.cloud.route import RouteController
from cluster.cloud.service import ServiceController

CONTROLLERS = (CloudNodeController, CloudNodeLifecycleController, ServiceController, RouteController)
CSI_CONTROLLERS = (CsiRegistrar, CsiProvisioner, CsiAttacher)
