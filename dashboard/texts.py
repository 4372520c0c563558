"""The texts that the page's scripts need, in the reader's language. Their English form is their key."""

from django.utils.translation import gettext, gettext_noop

STATES = {
    "state.run": gettext_noop("Running"),
    "state.notready": gettext_noop("Not ready"),
    "state.creating": gettext_noop("Creating"),
    "state.pending": gettext_noop("Pending"),
    "state.fail": gettext_noop("Failed"),
    "state.term": gettext_noop("Terminating"),
    "state.done": gettext_noop("Succeeded"),
}

TEXTS = (
    gettext_noop("You"),
    gettext_noop("API server"),
    gettext_noop("Scheduler"),
    gettext_noop("Controllers"),
    gettext_noop("no lease, {span}"),
    gettext_noop("Ready"),
    gettext_noop("NotReady"),
    gettext_noop("Unknown"),
    gettext_noop("Cordoned"),
    gettext_noop("powered off"),
    gettext_noop("Power off {node}"),
    gettext_noop("Power on {node}"),
    gettext_noop("Shut down {node} in order"),
    gettext_noop("More for {node}"),
    gettext_noop("Pods on {node}"),
    gettext_noop("Mem"),
    gettext_noop("{n} restarts"),
    gettext_noop("{n} requests a second, {part} % of what it can"),
    gettext_noop("{n} pods wait for a node"),
    gettext_noop("Waiting for a node"),
    gettext_noop("revision {n}"),
    gettext_noop("{n} in the queue"),
    gettext_noop("from {actor}, stored as revision {n}"),
    gettext_noop("step {n}"),
    gettext_noop("Heatmap of {nodes} nodes and {pods} pods. {down} nodes not ready."),
    gettext_noop("Worker nodes"),
    gettext_noop("{n} more nodes: see the heatmap."),
    gettext_noop("{n} nodes, {down} not ready"),
    gettext_noop("{n} nodes ready"),
    gettext_noop("{n} pods"),
    gettext_noop("Filter pods"),
    gettext_noop("Pod"),
    gettext_noop("Node"),
    gettext_noop("Namespace"),
    gettext_noop("Status"),
    gettext_noop("{n} more: narrow the filter."),
    gettext_noop("Time"),
    gettext_noop("Pause"),
    gettext_noop("Play"),
    gettext_noop("asleep"),
    gettext_noop("max"),
    gettext_noop("The speed that is reached"),
    gettext_noop("Nothing is planned: skip {span}"),
    gettext_noop("Skip {span}: {text}"),
    gettext_noop("Next: {text}"),
    gettext_noop("do"),
    gettext_noop("Apply YAML"),
    gettext_noop("Add a node"),
    gettext_noop("Skip to the next event"),
    gettext_noop("Uncordon"),
    gettext_noop("Cordon"),
    gettext_noop("Drain"),
    gettext_noop("Remove the node"),
    gettext_noop("Copied: {text}"),
    gettext_noop("{node} is {state}"),
    gettext_noop("Pods are running on {node}"),
    gettext_noop("That did not arrive. Is the server there?"),
    gettext_noop("Nothing was scraped from {from} to {to}: no Prometheus ran, or it reached nobody."),
    gettext_noop("Scrapes left out because the clock runs fast: {n}"),
    gettext_noop("Alerts that fired:"),
    gettext_noop("No data: none of the targets that are scraped tells this."),
    gettext_noop("Nothing to show: nothing happened in this time."),
    gettext_noop("and {n} more"),
    gettext_noop("Explore"),
)


def for_scripts() -> dict[str, str]:
    """Key to text, in the language of this request."""
    return {key: gettext(text) for key, text in STATES.items()} | {text: gettext(text) for text in TEXTS}


WEBUI = (
    gettext_noop("Time"),
    gettext_noop("{n} lines"),
    gettext_noop("The container has ended."),
    gettext_noop("The connection has ended."),
)


def for_webui() -> dict[str, str]:
    return {text: gettext(text) for text in WEBUI}


NOTES = (  # What the next event is called, by its form; the scripts put the groups in.
    (r"^pods of (\S+) are evicted$", gettext_noop("the pods of {1} are evicted")),
    (r"^(\S+) has been silent for (\d+) s$", gettext_noop("{1} has been silent for {2} s")),
    (r"^(\S+) gets the taint NoExecute$", gettext_noop("{1} gets the taint NoExecute")),
    (r"^pods of the deleted node (\S+) are removed$", gettext_noop("the pods of the deleted node {1} are removed")),
    (r"^pods of (\S+) become available$", gettext_noop("the pods of {1} become available")),
    (r"^the progress deadline of (\S+) ends$", gettext_noop("the progress deadline of {1} ends")),
    (r"^namespace (\S+) is emptied$", gettext_noop("namespace {1} is emptied")),
    (r"^(\S+) has terminated$", gettext_noop("{1} has terminated")),
    (r"^(\S+) is ready$", gettext_noop("{1} is ready")),
    (r"^the image of (\S+) can't be pulled$", gettext_noop("the image of {1} can't be pulled")),
    (r"^(\S+) goes into (ImagePullBackOff|CrashLoopBackOff)$", gettext_noop("{1} goes into {2}")),
    (r"^(\S+) starts a container$", gettext_noop("{1} starts a container")),
    (r"^a container of (\S+) ends$", gettext_noop("a container of {1} ends")),
    (r"^(\S+) is tried again$", gettext_noop("{1} is tried again")),
)


def notes() -> list[list[str]]:
    """[form, text] in the language of this request."""
    return [[form, gettext(text)] for form, text in NOTES]
