"""Impersonation: `kubectl --as alice`. Who may act as whom is asked in several ways, the narrowest first.

    impersonate-on:user-info:list pods  and  impersonate:user-info users/alice    alice, but only to list pods
    impersonate users/alice                                                       alice, in everything

Nodes and service accounts have modes of their own, in which nothing but the name may be chosen. If no way is open, the
refusal speaks of the first one that was tried.

Mirrors:  k8s.io/apiserver/pkg/endpoints/filters/impersonation
Left out: the mode `associated-node`, for agents that act as the node they run on: it falls to the modes after it.
"""

from collections.abc import Callable, Iterator

from cluster.apiserver.authorization import Ask, Decision, forbidden
from cluster.objects import errors, users
from cluster.objects.users import User

AUTHENTICATION = "authentication.k8s.io"
Decide = Callable[[Ask], Decision]


def wanted(header: Callable[[str], list[str]], names: list[str]) -> User | None:
    """The user that the headers ask to be; None: nobody else. `header`: values of one. Errors: BadRequest."""
    name, uid = next(iter(header("impersonate-user")), ""), next(iter(header("impersonate-uid")), "")
    groups = tuple(header("impersonate-group"))
    prefix = "impersonate-extra-"
    extra = {_unescaped(n.removeprefix(prefix)): tuple(header(n)) for n in names if n.startswith(prefix)}
    if not name:
        if uid or groups or extra:
            shown = User("", groups, uid, tuple(sorted(extra.items())))
            raise errors.BadRequest(f"requested {_go_text(shown)} without impersonating a user name")
        return None
    return User(name, groups, uid, tuple(sorted(extra.items())))


def _unescaped(key: str) -> str:
    """`example.com%2fscopes` is `example.com/scopes`."""
    out, at = "", 0
    while at < len(key):
        hexadecimal = key[at + 1 : at + 3]
        if key[at] == "%" and len(hexadecimal) == 2 and all(c in "0123456789abcdefABCDEF" for c in hexadecimal):
            out, at = out + chr(int(hexadecimal, 16)), at + 3
        else:
            out, at = out + key[at], at + 1
    return out


def _go_text(user: User) -> str:
    groups = f"[]string{{{', '.join(map(_quote, user.groups))}}}" if user.groups else "[]string(nil)"
    extra = "map[string][]string(nil)"
    if user.extra:
        listed = (f"{_quote(k)}:[]string{{{', '.join(map(_quote, v))}}}" for k, v in user.extra)
        extra = f"map[string][]string{{{', '.join(listed)}}}"
    return f'&user.DefaultInfo{{Name:"", UID:{_quote(user.uid)}, Groups:{groups}, Extra:{extra}}}'


def _quote(text: str) -> str:
    return f'"{text}"'


def impersonated(decide: Decide, ask: Ask, asked_for: User) -> User:
    """Who `ask.user` is from now on, as `asked_for`. `ask`: the request as it is. Errors: Forbidden."""
    first: errors.ApiError | None = None
    for mode in _modes(asked_for):
        refused = _refusal(decide, ask, asked_for, mode)
        if refused is None:
            return _completed(asked_for, mode)
        first = first or refused
    assert first is not None
    raise first


def _modes(asked_for: User) -> Iterator[str]:
    """Modes that fit the user, in order; the empty one is the old way."""
    only_name = not (asked_for.groups or asked_for.uid or asked_for.extra)
    if asked_for.name.startswith(users.NODE_PREFIX):
        yield from ("arbitrary-node",) if only_name else ()
    elif users.account_of(asked_for.name):
        yield from ("serviceaccount",) if only_name else ()
    else:
        yield "user-info"
    yield ""


def _refusal(decide: Decide, ask: Ask, asked_for: User, mode: str) -> errors.ApiError | None:
    """Why the mode is closed; None: it is open."""
    questions = list(_questions(ask.user, asked_for, mode))
    if mode:
        questions.insert(0, ask._replace(verb=f"impersonate-on:{mode}:{ask.verb}"))
    for question in questions:
        decision = decide(question)
        if not decision.allowed:
            return forbidden(question, decision.reason)
    return None


def _questions(user: User, asked_for: User, mode: str) -> Iterator[Ask]:
    """May `user` take this name, these groups, this uid …?"""
    group, verb = (AUTHENTICATION, f"impersonate:{mode}") if mode else ("", "impersonate")
    account = users.account_of(asked_for.name)
    if account:
        yield Ask(user, verb, group, "v1", "serviceaccounts", "", *account)
    elif mode == "arbitrary-node":
        yield Ask(user, verb, group, "v1", "nodes", name=asked_for.name.removeprefix(users.NODE_PREFIX))
    else:
        yield Ask(user, verb, group, "v1", "users", name=asked_for.name)
    for each in asked_for.groups:
        yield Ask(user, verb, group, "v1", "groups", name=each)
    for key, values in asked_for.extra:
        for value in values:
            yield Ask(user, verb, AUTHENTICATION, "v1", "userextras", key, name=value)
    if asked_for.uid:
        yield Ask(user, verb, AUTHENTICATION, "v1", "uids", name=asked_for.uid)


def _completed(asked_for: User, mode: str) -> User:
    """With the groups that follow from the name, where none were chosen, and `system:authenticated`."""
    groups = list(asked_for.groups)
    account = users.account_of(asked_for.name)
    if not groups and account:
        groups += users.account_groups(account[0])
    elif mode == "arbitrary-node":
        groups.append(users.NODES)
    if asked_for.name == users.ANONYMOUS.name:
        if users.UNAUTHENTICATED not in groups:
            groups.append(users.UNAUTHENTICATED)
    elif users.AUTHENTICATED not in groups and users.UNAUTHENTICATED not in groups:
        groups.append(users.AUTHENTICATED)
    return asked_for._replace(groups=tuple(groups))
