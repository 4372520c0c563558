"""Why, in the reader's language: sentences of cluster/why.py and the scheduler's explain.py, recognised by their form
and said again.

cluster/ speaks English, as Kubernetes does. A sentence whose form is unknown here stays as it is.
"""

import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

FORMS = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (r"(?P<what>\S+) was bound to (?P<node>\S+)\.", gettext_noop("%(what)s was bound to %(node)s.")),
        (
            r"(?P<what>\S+) was created for (?P<owner>.+)\.",
            gettext_noop("%(what)s was created for %(owner)s."),
        ),
        (r"(?P<what>\S+) was created\.", gettext_noop("%(what)s was created.")),
        (r"(?P<what>\S+) is gone\.", gettext_noop("%(what)s is gone.")),
        (r"(?P<what>\S+) was marked for deletion\.", gettext_noop("%(what)s was marked for deletion.")),
        (
            r"Node (?P<node>\S+) got the taint (?P<taint>.+)\.",
            gettext_noop("Node %(node)s got the taint %(taint)s."),
        ),
        (
            r"Node (?P<node>\S+) lost the taint (?P<taint>.+)\.",
            gettext_noop("Node %(node)s lost the taint %(taint)s."),
        ),
        (
            r"Node (?P<node>\S+): Ready is (?P<status>\w+) \((?P<reason>\w*)\)\.",
            gettext_noop("Node %(node)s: Ready is %(status)s (%(reason)s)."),
        ),
        (
            r"The lease of (?P<node>\S+) was renewed at (?P<time>\S+) for the last time, and then no more\.",
            gettext_noop("The lease of %(node)s was renewed at %(time)s for the last time, and then no more."),
        ),
        (
            r"The power of machine (?P<node>\S+) was cut\. Nobody told the cluster\.",
            gettext_noop("The power of machine %(node)s was cut. Nobody told the cluster."),
        ),
        (r"Machine (?P<node>\S+) was powered on\.", gettext_noop("Machine %(node)s was powered on.")),
        (
            r"The container runtime of (?P<node>\S+) was stopped\. Its containers go on\.",
            gettext_noop("The container runtime of %(node)s was stopped. Its containers go on."),
        ),
        (
            r"The container runtime of (?P<node>\S+) was started\.",
            gettext_noop("The container runtime of %(node)s was started."),
        ),
        (r"Machine (?P<node>\S+) was added\.", gettext_noop("Machine %(node)s was added.")),
        (r"Machine (?P<node>\S+) was taken away\.", gettext_noop("Machine %(node)s was taken away.")),
        (
            r"The cloud took machine (?P<node>\S+) back\. Nobody told the cluster\.",
            gettext_noop("The cloud took machine %(node)s back. Nobody told the cluster."),
        ),
        (r"You told the cloud: (?P<what>\S+)\.", gettext_noop("You told the cloud: %(what)s.")),
        (
            r"You clicked (?P<what>\S+) on (?P<subject>\S+)\.",
            gettext_noop("You clicked %(what)s on %(subject)s."),
        ),
        (r"(?P<who>\S+) asked: (?P<what>.+)\.", gettext_noop("%(who)s asked: %(what)s.")),
        (r"The cluster was built\.", gettext_noop("The cluster was built.")),
        (r"The spec of (?P<what>\S+) changed\.", gettext_noop("The spec of %(what)s changed.")),
        (r"The status of (?P<what>\S+) changed\.", gettext_noop("The status of %(what)s changed.")),
        (r"(?P<what>\S+) changed\.", gettext_noop("%(what)s changed.")),
        (r"Node (?P<node>\S+) changed\.", gettext_noop("Node %(node)s changed.")),
        (
            r"(?P<node>\S+) won with (?P<points>\d+) points: (?P<pod>\S+) runs there\.",
            gettext_noop("%(node)s won with %(points)s points: %(pod)s runs there."),
        ),
        (r"(?P<node>\S+) won: (?P<pod>\S+) runs there\.", gettext_noop("%(node)s won: %(pod)s runs there.")),
        (
            r"(?P<pod>\S+) is waiting for the scheduler\.",
            gettext_noop("%(pod)s is waiting for the scheduler."),
        ),
        (r"(?P<pod>\S+) is pending: (?P<why>.+)", gettext_noop("%(pod)s is pending: %(why)s")),
        (
            r"(?P<pod>\S+) is being deleted; the kubelet of (?P<node>\S+) is stopping it\.",
            gettext_noop("%(pod)s is being deleted; the kubelet of %(node)s is stopping it."),
        ),
        (
            r"(?P<pod>\S+) is being deleted, but (?P<node>\S+) is not reachable: "
            r"nobody is there to stop its containers and confirm\.",
            gettext_noop(
                "%(pod)s is being deleted, but %(node)s is not reachable: "
                "nobody is there to stop its containers and confirm."
            ),
        ),
        (
            r"(?P<what>\S+) exists since revision (?P<first>\d+); "
            r"its newest revision is (?P<last>\d+), by (?P<who>.+)\.",
            gettext_noop("%(what)s exists since revision %(first)s; its newest revision is %(last)s, by %(who)s."),
        ),
        (
            r"(?P<what>\S+) no longer exists\.",
            gettext_noop("%(what)s no longer exists."),
        ),
        (
            r"(?P<what>\S+): (?P<type>\S+) is (?P<status>\w+)\.",
            gettext_noop("%(what)s: %(type)s is %(status)s."),
        ),
        (
            r"(?P<what>\S+): (?P<type>\S+) is (?P<status>\w+) \((?P<reason>\w+)\)\.",
            gettext_noop("%(what)s: %(type)s is %(status)s (%(reason)s)."),
        ),
        (
            r"Somebody shut machine (?P<node>\S+) down\. Its kubelet ends the pods first\.",
            gettext_noop("Somebody shut machine %(node)s down. Its kubelet ends the pods first."),
        ),
        (
            r"A manifest was written on the disk of (?P<node>\S+)\.",
            gettext_noop("A manifest was written on the disk of %(node)s."),
        ),
        (
            r"A manifest was removed from the disk of (?P<node>\S+)\.",
            gettext_noop("A manifest was removed from the disk of %(node)s."),
        ),
        (
            r"(?P<pod>\S+) is being deleted, but (?P<node>\S+) no longer exists: nobody is there "
            r"to stop its containers and confirm\.",
            gettext_noop(
                "%(pod)s is being deleted, but %(node)s no longer exists: nobody is there to stop "
                "its containers and confirm."
            ),
        ),
        (
            r"(?P<pod>\S+) stays on (?P<node>\S+), although \S+ is not reachable\. (?P<rest>.+)",
            gettext_noop("%(pod)s stays on %(node)s, although it is not reachable. %(rest)s"),
        ),
        (
            r"(?P<pod>\S+) stays on (?P<node>\S+), although \S+ no longer exists\. (?P<rest>.+)",
            gettext_noop("%(pod)s stays on %(node)s, although it no longer exists. %(rest)s"),
        ),
        (
            r"Evictions are halted: all nodes of all zones stopped reporting at once, and the "
            r"node lifecycle controller takes that for its own trouble, not theirs "
            r"\(FullDisruption\)\.",
            gettext_noop(
                "Evictions are halted: all nodes of all zones stopped reporting at once, and the "
                "node lifecycle controller takes that for its own trouble, not theirs "
                "(FullDisruption)."
            ),
        ),
        (
            r"The node has no NoExecute taint yet: one node every 10 s gets it, so that a bad "
            r"minute empties no cluster\.",
            gettext_noop(
                "The node has no NoExecute taint yet: one node every 10 s gets it, so that a bad "
                "minute empties no cluster."
            ),
        ),
        (
            r"It tolerates the taint for ever\.",
            gettext_noop("It tolerates the taint for ever."),
        ),
        (
            r"It tolerates the taint for (?P<seconds>\d+) s; then it is evicted\.",
            gettext_noop("It tolerates the taint for %(seconds)s s; then it is evicted."),
        ),
        (
            r"It does not tolerate the taint and is about to be evicted\.",
            gettext_noop("It does not tolerate the taint and is about to be evicted."),
        ),
        (r"best score: (?P<points>\d+)", gettext_noop("best score: %(points)s")),
        (
            r"one of (?P<n>\d+) with the best score, (?P<points>\d+)",
            gettext_noop("one of %(n)s with the best score, %(points)s"),
        ),
        (
            r"as good as (?P<node>\S+) \((?P<points>\d+)\); the dice chose",
            gettext_noop("as good as %(node)s (%(points)s); the dice chose"),
        ),
        (
            r"1 point behind (?P<node>\S+), lost in (?P<plugin>\S+)",
            gettext_noop("1 point behind %(node)s, lost in %(plugin)s"),
        ),
        (
            r"(?P<n>\d+) points behind (?P<node>\S+), most of them lost in (?P<plugin>\S+)",
            gettext_noop("%(n)s points behind %(node)s, most of them lost in %(plugin)s"),
        ),
        (
            r"the only node that fits: taken without scoring",
            gettext_noop("the only node that fits: taken without scoring"),
        ),
        (r"refused by (?P<plugin>\S+): (?P<why>.+)", gettext_noop("refused by %(plugin)s: %(why)s")),
        (r"the pod may only run on (?P<nodes>.+)", gettext_noop("the pod may only run on %(nodes)s")),
        (
            r"not kept of this decision, which looked at (?P<n>\d+) of (?P<all>\d+) nodes",
            gettext_noop("not kept of this decision, which looked at %(n)s of %(all)s nodes"),
        ),
    )
)
ACTORS = {
    "you": gettext_noop("You"),
    "orrery-page": gettext_noop("You"),
    "orrery-opening": gettext_noop("the opening scene"),
    "machine": gettext_noop("the machine"),
    "boot": gettext_noop("the cluster's birth"),
}


TITLE = re.compile(r"\b[A-Z][A-Za-z]+/(?:[a-z0-9-]+/)?(?=[a-z0-9])")


def sentence(text: str) -> str:
    """`text` in the language of this request, with plain names: `web-1` for `Pod/default/web-1`."""
    for pattern, said in FORMS:
        if found := pattern.fullmatch(text):
            words = {name: SAID.get(name, str)(word) for name, word in found.groupdict().items()}
            return TITLE.sub("", _(said) % words)
    return TITLE.sub("", text)


POD_OF_A_DEPLOYMENT = re.compile(r"\b([a-z0-9][a-z0-9-]*?)-[a-z0-9]{6,10}-([a-z0-9]{5})\b")


def short(text: str) -> str:
    """`web-jrw25` for `web-55gcfcb6f-jrw25`: what tells pods apart on the map."""
    return POD_OF_A_DEPLOYMENT.sub(r"\1-\2", text)


def actor(name: str) -> str:
    return _(ACTORS[name]) if name in ACTORS else name


SAID = {"who": actor, "rest": sentence}  # Parts of a sentence that are in a language themselves.
