"""Why did this step happen? Causes are short strings that ride along with every wake-up and end up in every revision.

    r812               revision 812 was seen by a handler
    r812+300000000     a timer of 300 s that was set because of revision 812 ran out
    i7                 input 7 (an API request or a click from outside)
    p3                 physical event 3 (a power cut, the death of a container)
    boot               the cluster was built
    silence:kubelet/worker-2@r500
                       the *absence* of something: that component's last word was revision 500

Wake-ups of one queue key coalesce, so a step has several causes: at most `LIMIT` are kept, oldest first, the last of
them always the newest; `+37` at the end counts those left out. "Why?" is a walk along these strings, never a guess.
"""

Causes = tuple[str, ...]

LIMIT = 16


def merge(old: Causes, new: Causes) -> Causes:
    """`old` and then what `new` adds; bounded, the newest kept."""
    if not old or old == new:
        return new
    if len(old) > LIMIT and len(new) == 1 and new[0] not in old:  # The common case of a crowd: one more is counted.
        return (*old[: LIMIT - 1], new[0], f"+{int(old[LIMIT][1:]) + 1}")
    fresh = tuple(cause for cause in new if cause not in old)
    if not fresh:
        return old
    joined, dropped = old + fresh, 0
    if joined[-len(fresh) - 1].startswith("+"):  # The count of an earlier merge moves to the end.
        dropped = int(joined[-len(fresh) - 1][1:])
        joined = (*old[:-1], *fresh)
    excess = len(joined) - LIMIT
    if excess > 0:
        joined = (*joined[: LIMIT - 1], joined[-1])
        dropped += excess
    return (*joined, f"+{dropped}") if dropped else joined


def after(causes: Causes, delay: int) -> Causes:
    """The causes of a timer set for `delay` microseconds by a step that had `causes`."""
    return tuple(_later(cause, delay) for cause in causes)


def _later(cause: str, delay: int) -> str:
    root, plus, waited = cause.rpartition("+")
    if not root:  # No wait yet, or a count such as `+37`, which has no root.
        return cause if plus else f"{cause}+{delay}"
    return f"{root}+{int(waited) + delay}"


def parse(cause: str) -> tuple[str, int]:
    """Split into (what, microseconds waited).

    >>> parse("r812+300000000"), parse("r812")
    (('r812', 300000000), ('r812', 0))
    """
    root, plus, waited = cause.rpartition("+")
    return (root, int(waited)) if plus and root else (cause, 0)
