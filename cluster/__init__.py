"""Orrery: a working model of a Kubernetes 1.37 cluster. START HERE.

Each room mirrors a real component. Imports only go down; rooms of one floor never import each other.

    floor 6   gateway         the HTTP door of kube-apiserver: reads committed rows, hands writes to the inbox
    floor 5   tasks, inbox    Celery drives worlds; the inbox is how the outside gets in, exactly once
              gathering       what scrapers and log agents carry away, between two turns
    floor 4   world           the only place that knows every room: builds, connects, steps, commits
              network         a packet's whole way: name, rules, route, policy, port
              flows           what load generators send: which way it takes, who serves it, what fails
              monitoring      what was scraped, and PromQL over it
              logstore        what was shipped, and searching it
    floor 3   apiserver       kube-apiserver: authenticate, authorise, admit, validate, store
              scheduler       kube-scheduler
              controllers     kube-controller-manager: one promise a file
              cloud           a cloud with an API, and cloud-controller-manager, which asks it
              kubelet         one kubelet a node
              kubeproxy       a node's rules, worked out from Services and EndpointSlices
              addons          DNS, network policy, metrics-server …: what is in their pods' images, and manifests
    floor 2   etcd            revisions of keys; reached by apiserver only
              runtime         containers behind CRI; reached by kubelet and world only
    floor 1   engine          clock, dice, causes, agenda, informers, the API client
    floor 0   objects         the nouns: metadata, labels, quantities, pods, nodes, errors. Pure functions
    models                    the Django tables

Three words before reading on. A *step*: one component takes one item from its queue. A *turn*: the steps of one slice
of wall time, one database commit. A *cause*: what woke the step up; every revision has its causes.
"""

ENGINE_VERSION = "7"  # Exports of another engine version can't be replayed: its steps may differ.
