"""kube-controller-manager: one promise a file. Each looks at what is, compares it with what was asked, closes the gap.

Read replicaset.py first, then nodelifecycle.py, tainteviction.py and deployment.py.
"""

from cluster.controllers.attachdetach import AttachDetachController
from cluster.controllers.certificateapproval import ApprovingController
from cluster.controllers.certificatecleaning import CleaningController
from cluster.controllers.certificatesigning import SigningController
from cluster.controllers.clusterroleaggregation import ClusterRoleAggregationController
from cluster.controllers.cronjob import CronJobController
from cluster.controllers.daemonset import DaemonSetController
from cluster.controllers.deployment import DeploymentController
from cluster.controllers.disruption import DisruptionController
from cluster.controllers.endpoints import EndpointsController
from cluster.controllers.endpointslice import EndpointSliceController
from cluster.controllers.endpointslicemirroring import EndpointSliceMirroringController
from cluster.controllers.ephemeralvolume import EphemeralVolumeController
from cluster.controllers.garbagecollector import GarbageCollector
from cluster.controllers.horizontalpodautoscaler import HorizontalPodAutoscalerController
from cluster.controllers.job import JobController
from cluster.controllers.namespace import NamespaceController
from cluster.controllers.nodeipam import NodeIpamController
from cluster.controllers.nodelifecycle import NodeLifecycleController
from cluster.controllers.persistentvolume import PersistentVolumeController
from cluster.controllers.podgc import PodGarbageCollector
from cluster.controllers.replicaset import ReplicaSetController
from cluster.controllers.replication import ReplicationControllerController
from cluster.controllers.resourcequota import ResourceQuotaController
from cluster.controllers.rootcapublisher import RootCAPublisher
from cluster.controllers.serviceaccount import ServiceAccountController
from cluster.controllers.serviceaccount_token import TokensController
from cluster.controllers.statefulset import StatefulSetController
from cluster.controllers.tainteviction import TaintEvictionController
from cluster.controllers.ttl import TtlController
from cluster.controllers.ttlafterfinished import TtlAfterFinishedController
from cluster.controllers.volumeprotection import ClaimProtectionController, VolumeProtectionController

CONTROLLERS = (
    ServiceAccountController,
    RootCAPublisher,
    NodeIpamController,
    NodeLifecycleController,
    TaintEvictionController,
    PodGarbageCollector,
    DeploymentController,
    ReplicaSetController,
    EndpointSliceController,
    EndpointsController,
    DisruptionController,
    GarbageCollector,
    NamespaceController,
    ResourceQuotaController,
    TtlController,
    ReplicationControllerController,
    DaemonSetController,
    StatefulSetController,
    JobController,
    CronJobController,
    TtlAfterFinishedController,
    ClusterRoleAggregationController,
    TokensController,
    SigningController,
    ClaimProtectionController,
    VolumeProtectionController,
    PersistentVolumeController,
    HorizontalPodAutoscalerController,
    EndpointSliceMirroringController,
    ApprovingController,
    CleaningController,
    EphemeralVolumeController,
    AttachDetachController,
)
