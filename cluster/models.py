"""What is saved of a cluster: every table, and nothing that could be derived from another one.

State lives in three places only: API objects (`Revision`, `StoredObject`), the physical world (`Machine`,
`Container`, `PhysicalEvent`) and the agenda (`Agenda`). One turn of the world is one transaction over all of them,
fenced by `Cluster.owner_epoch`. Everything in these rows is plain data.

Values are stored once, as in etcd: a `Revision` has the bytes, a `StoredObject` only points at the newest revision of
its key. Ids are built so that one primary key serves all the range scans: a revision's is `cluster << 40 | revision`,
a cell's is `"<cluster>:<key>"`.

Read next: etcd/disk.py, the only writer of these tables.
"""

from django.db import models

REVISION_BITS = 40  # 2**40 revisions a cluster, 2**23 clusters: a century of the busiest cluster we can simulate.


class Cluster(models.Model):
    """One world: who owns it, where its clock stands, what it was made from."""

    name = models.CharField(max_length=63, unique=True)
    seed = models.BigIntegerField()
    epoch = models.BigIntegerField(help_text="Wall time of t = 0, microseconds since 1970; a recorded input.")
    engine = models.CharField(max_length=32, help_text="Version of the engine that makes its revisions.")
    options = models.JSONField(default=dict, help_text="What it was created with: nodes, lab, latency …")
    created_at = models.DateTimeField(auto_now_add=True)

    owner_epoch = models.BigIntegerField(default=0, help_text="Fencing: a commit under an older epoch is refused.")
    owner = models.CharField(max_length=64, blank=True, default="")

    first_revision = models.BigIntegerField(default=0, help_text="The revision before this life's first one.")
    compacted = models.BigIntegerField(default=0, help_text="Revisions up to this one may be gone: 410.")
    revision = models.BigIntegerField(default=0)
    step = models.BigIntegerField(default=0)
    sequence = models.BigIntegerField(default=0, help_text="How many agenda entries were ever made.")
    inputs = models.BigIntegerField(default=0, help_text="How many inputs were ever executed.")
    events = models.BigIntegerField(default=0, help_text="How many physical events ever happened.")
    last_checkpoint_step = models.BigIntegerField(default=0)
    last_checkpoint_time = models.BigIntegerField(default=0)
    sim_now = models.BigIntegerField(default=0, help_text="Committed horizon, microseconds since t = 0.")
    next_due = models.BigIntegerField(null=True, help_text="Simulated time of the next timer; null: nothing to do.")
    next_event = models.JSONField(null=True, help_text="{due, text}: the next timer that is worth waiting for.")

    paused = models.BooleanField(default=False)
    speed = models.FloatField(default=1.0, help_text="Ceiling, simulated per wall seconds; 0 means as fast as it can.")
    asleep = models.BooleanField(default=False)
    stopped = models.CharField(max_length=200, blank=True, default="", help_text="Why the world can't go on.")

    def __str__(self) -> str:
        return self.name


class Revision(models.Model):
    """One change of one key: etcd's log. `value` of a delete is the last state under its new revision."""

    id = models.BigIntegerField(primary_key=True)
    cluster = models.ForeignKey(Cluster, models.CASCADE, db_index=False, related_name="log", db_constraint=False)
    key = models.TextField()
    verb = models.CharField(max_length=6)  # create | update | delete
    value = models.BinaryField()
    previous = models.BigIntegerField(default=0)  # Revision before this one of the same key; 0: none.
    created = models.BigIntegerField()  # Revision that created the key.
    version = models.BigIntegerField()  # 1, 2, 3 … since its creation.
    actor = models.CharField(max_length=128)
    causes = models.TextField(default="[]")  # JSON list; see engine/cause.py
    step = models.BigIntegerField()
    sim_time = models.BigIntegerField()

    class Meta:
        indexes = (models.Index(fields=("cluster", "key", "id"), name="revision_of_key"),)

    @property
    def number(self) -> int:
        return int(self.id) & ((1 << REVISION_BITS) - 1)

    def __str__(self) -> str:
        return f"{self.number} {self.verb} {self.key}"


class StoredObject(models.Model):
    """The newest revision of a living key. `id` is `"<cluster>:<key>"`."""

    id = models.TextField(primary_key=True)
    revision = models.BigIntegerField()  # Revision.id, with the cluster in it.

    def __str__(self) -> str:
        return str(self.id)


class Cell(models.Model):
    """One piece of plain data under `"<cluster>:<key>"`."""

    id = models.TextField(primary_key=True)
    body = models.BinaryField()  # JSON

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.id)


class Machine(Cell):
    """A computer: power, capacity, zone, images on its disk. Key: `<node>`."""


class Container(Cell):
    """A container record or pod sandbox: program, seed, start, end. Key: `<pod uid>/<container>/<attempt>`."""


class Agenda(Cell):
    """Whatever a future step can read besides objects and machines. Key: `<component>|<slot>|<key>`."""


class Verdict(Cell):
    """What the scheduler decided of a pod, node by node. Key: `<pod uid>`."""


class Session(Cell):
    """A process that somebody started by exec, and what it printed: see runtime/sessions.py for the keys."""


class Disk(Cell):
    """What containers wrote: onto a layer of their own, or a volume. Key: the container's or the volume's."""


class Process(Cell):
    """A process of the control plane: on, off or held. Key: `<component>`, or `<component>/<replica>`."""


class Member(Cell):
    """An etcd member: its power, its links, its place in the Raft group. Key: `<member>`."""


class CloudItem(Cell):
    """What the cloud has rented out: a machine, balancer, route or disk. Key: `<kind>/<name>`."""


class CriCall(Cell):
    """What a kubelet asked its runtime: see runtime/dialogue.py. Key: `<node>/<nn>`."""


class PhysicalEvent(models.Model):
    """Something that happened to a machine, not to an object: power off, power on, container death."""

    id = models.BigIntegerField(primary_key=True)  # cluster << 40 | ordinal
    cluster = models.ForeignKey(Cluster, models.CASCADE, db_index=False, db_constraint=False)
    kind = models.CharField(max_length=32)
    subject = models.CharField(max_length=253)
    causes = models.TextField(default="[]")
    body = models.TextField(default="{}")
    step = models.BigIntegerField()
    sim_time = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class Input(models.Model):
    """A request from outside, when it entered the world, and what it was answered: exactly once, and again if asked."""

    id = models.CharField(primary_key=True, max_length=64)
    cluster = models.ForeignKey(Cluster, models.CASCADE, db_index=False)
    ordinal = models.BigIntegerField()
    step = models.BigIntegerField()
    sim_time = models.BigIntegerField()
    request = models.BinaryField()  # JSON
    status = models.IntegerField()
    response = models.BinaryField()  # JSON {headers, body, stages}; see apiserver/stages.py
    revision = models.BigIntegerField()  # The newest revision after it.
    epoch = models.BigIntegerField(default=0)  # The owner that executed it.

    class Meta:
        indexes = (models.Index(fields=("cluster", "ordinal"), name="input_in_order"),)

    def __str__(self) -> str:
        return str(self.id)


class DeadInput(models.Model):
    """An input nobody waits for any more: its client was told 504, so it must never run."""

    id = models.CharField(primary_key=True, max_length=64)
    cluster = models.ForeignKey(Cluster, models.CASCADE)
    reason = models.CharField(max_length=200)

    def __str__(self) -> str:
        return str(self.id)


class Checkpoint(models.Model):
    """The physical world and the agenda at one moment; with the revisions up to it, a world with the same future."""

    id = models.BigAutoField(primary_key=True)
    cluster = models.ForeignKey(Cluster, models.CASCADE, db_index=False)
    step = models.BigIntegerField()
    sim_time = models.BigIntegerField()
    revision = models.BigIntegerField()
    body = models.BinaryField()  # zlib of JSON

    class Meta:
        constraints = (models.UniqueConstraint(fields=("cluster", "step"), name="one_checkpoint_a_step"),)

    def __str__(self) -> str:
        return f"{self.cluster_id}@{self.step}"


class MetricSeries(models.Model):
    """A series that Prometheus has scraped. `number`: 0, 1, 2 … in its cluster."""

    id = models.BigAutoField(primary_key=True)
    cluster = models.ForeignKey(Cluster, models.CASCADE, db_index=False, db_constraint=False)
    number = models.IntegerField()
    labels = models.TextField()  # JSON, keys in order, __name__ among them.

    class Meta:
        constraints = (models.UniqueConstraint(fields=("cluster", "number"), name="one_series_a_number"),)

    def __str__(self) -> str:
        return f"{self.number} {self.labels}"


class MetricBlock(models.Model):
    """Samples of many series at some scrapes: see monitoring/blocks.py. Times: milliseconds since 1970, simulated."""

    id = models.BigAutoField(primary_key=True)
    cluster = models.ForeignKey(Cluster, models.CASCADE, db_index=False, db_constraint=False)
    start = models.BigIntegerField()
    end = models.BigIntegerField()
    columns = models.IntegerField()
    body = models.BinaryField()

    class Meta:
        indexes = (models.Index(fields=("cluster", "end"), name="block_by_end"),)

    def __str__(self) -> str:
        return f"{self.cluster_id}: {self.start} to {self.end}"


class FormerCluster(models.Model):
    """How far the revisions of a deleted cluster went: a new one of that name starts above, so old watches get 410."""

    name = models.CharField(primary_key=True, max_length=63)
    revision = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}"


class LogStream(models.Model):
    """What one container printed on stdout or stderr, in the central log store, under the labels that it came with."""

    id = models.BigAutoField(primary_key=True)
    cluster = models.ForeignKey(Cluster, models.CASCADE, db_index=False, db_constraint=False)
    labels = models.TextField()  # JSON with sorted keys.

    class Meta:
        constraints = (models.UniqueConstraint(fields=("cluster", "labels"), name="one_stream_of_labels"),)

    def __str__(self) -> str:
        return str(self.labels)


class LogBlock(models.Model):
    """Some consecutive lines of a stream. It grows until it is sealed, and is then in SQLite's full-text index."""

    id = models.BigAutoField(primary_key=True)
    cluster = models.ForeignKey(Cluster, models.CASCADE, db_index=False, db_constraint=False)
    stream = models.ForeignKey(LogStream, models.CASCADE, db_constraint=False)
    first = models.BigIntegerField()  # Simulated time of the first and the last line, microseconds since t = 0.
    last = models.BigIntegerField()
    times = models.TextField()  # JSON list: of each line, microseconds since `first`.
    body = models.TextField()  # The lines, a newline between them.
    size = models.BigIntegerField()  # Bytes of both.
    sealed = models.BooleanField(default=False)

    class Meta:
        indexes = (models.Index(fields=("cluster", "last"), name="log_block_in_time"),)

    def __str__(self) -> str:
        return f"{self.stream_id}: {self.first}-{self.last}"


class LogPosition(models.Model):
    """How far the log agent of a node has read, as its database on the node's disk says. `id`: `<cluster>:<node>`."""

    id = models.TextField(primary_key=True)
    at = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.id}@{self.at}"


class Departed(models.Model):
    """A container whose files an agent held open when they were removed. `id`: `<cluster>:<container key>`."""

    id = models.TextField(primary_key=True)
    node = models.TextField()  # `<cluster>:<node>`
    at = models.BigIntegerField()  # When the turn ended in which it was removed.
    body = models.BinaryField()  # JSON: its last record.

    class Meta:
        indexes = (models.Index(fields=("node",), name="departed_of_node"),)

    def __str__(self) -> str:
        return str(self.id)
