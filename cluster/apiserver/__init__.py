"""kube-apiserver: the one door to the cluster's state, and the only room that touches etcd.

A write comes as a controller's call or as kubectl's bytes, and goes one way; a read never enters the world:

    bytes ──> requests.py ──> server.py ──────────────────────────────> storage.py ──> etcd, informers
              target bodies   default  mutate  allocate  validate  admit  store
              options patches registry/ admission/ allocators registry/
    GET, LIST, WATCH ──> reads.py ──> committed rows, shown by table/ and negotiate.py

    server.py       create, modify, bind, delete, evict: the pipeline of every write. Begin here
    requests.py     one HTTP write: which handler, which status, which headers
    target.py       what a URL names              bodies.py, gojson.py, protobuf.py   bytes to objects, in Go's words
    options.py      dryRun, preconditions, grace   patches/     JSON, merge and strategic merge patch
    fieldmanager/   server-side apply, and who owns which field
    registry/       what a kind is: names, defaults, rules; a kind is one entry
    registry/custom/, kinds.py, definitions.py      kinds that a cluster's CustomResourceDefinitions make
    cel/            the language of validation rules and admission policies; regexes.py   RE2
    schema/         the structure of every API type, which decoding and patching follow
    admission/      what is changed before validation and refused after it, one file a plugin
    stages.py       what each stage said of a request from outside
    authorization/  who may what: roles, bindings, nodes; nobody grants what they lack
    disruption.py   eviction's question to the PodDisruptionBudgets
    allocators.py   cluster addresses and node ports
    storage.py      revisions, bytes, causes        commits.py   the world's door to etcd, export and digest
    reads.py        GET, LIST and WATCH from rows   table/, negotiate.py   the forms that clients ask for
    discovery.py, openapi.py, descriptions.py       what this server serves, said to clients
    bootstrap/      what a new cluster has at once, and who keeps it so      expiry.py    events live an hour

Mirrors:  kubernetes/pkg/{controlplane,registry,apis}, k8s.io/apiserver
Left out: audit.
Read next: server.py.
"""
