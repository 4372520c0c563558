"""Tokens controller: a Secret of type kubernetes.io/service-account-token gets a token for the account it names.

The old way to a token, and still the one that lasts: it ends with the Secret or the account, not with time. New
accounts get no such Secret any more; pods have bound tokens. The token is signed here, inside the world, with a key
that is made of a recorded secret, so that it is the same in every replay.

Mirrors:  kubernetes/pkg/controller/serviceaccount/tokens_controller.go
Left out: marking and cleaning up tokens that nobody uses (legacy-service-account-token-cleaner).
"""

from base64 import b64encode

from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta
from cluster.objects.credentials import keys, tokens
from cluster.objects.errors import NotFound

TYPE = "kubernetes.io/service-account-token"
NAME, UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
INDEX = "service-account"


class TokensController(Controller):
    name = "serviceaccount-token-controller"
    kind = "Secret"
    reaction = 5_000

    def watch(self) -> None:
        self.informers.add_index("Secret", INDEX, _account_of)
        super().watch()
        self.informers.subscribe("ServiceAccount", self._account_changed, self.name)

    def start(self) -> None:
        for secret in self.informers.list("Secret"):
            self._changed(None, secret)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and new.get("type") == TYPE:
            self.queue.add(meta.key(new))

    def _account_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if old is not None and (new is None or meta.uid(new) != meta.uid(old)):
            for secret in self.informers.by_index("Secret", INDEX, meta.key(old)):
                self.queue.add(meta.key(secret))

    def reconcile(self, secret: Manifest) -> None:
        """Fill it, or delete it if there is no such account (any more)."""
        name, uid = meta.annotations(secret).get(NAME, ""), meta.annotations(secret).get(UID)
        if secret.get("type") != TYPE or not name or meta.is_deleting(secret):
            return
        account = self.informers.get("ServiceAccount", meta.namespace(secret), name)
        if account is None or uid not in (None, "", meta.uid(account)):
            try:
                self.client.delete("Secret", meta.namespace(secret), meta.name(secret), uid=meta.uid(secret))
            except NotFound:
                return
            return
        annotations = {**meta.annotations(secret), UID: meta.uid(account)}
        data = {**(secret.get("data") or {}), **self._wanted(secret, account)}
        if data != secret.get("data") or annotations != meta.annotations(secret):
            self.client.update({**secret, "metadata": {**secret["metadata"], "annotations": annotations}, "data": data})

    def _wanted(self, secret: Manifest, account: Manifest) -> dict[str, str]:
        """What the Secret must hold. A token that is there is left alone, even a wrong one."""
        given = (secret.get("data") or {}).get("token")
        key = keys.of_cluster(self.options, self.dice.seed).tokens
        wanted = {"ca.crt": _base64(str(self.options.get("ca", ""))), "namespace": _base64(meta.namespace(secret))}
        return {**wanted, "token": given or _base64(tokens.signed(key, tokens.old_claims(account, secret)))}


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _account_of(secret: Manifest) -> list[str]:
    name = meta.annotations(secret).get(NAME) if secret.get("type") == TYPE else None
    return [f"{meta.namespace(secret)}/{name}"] if name else []
