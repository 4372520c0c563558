"""authentication.k8s.io and authorization.k8s.io: questions that are POSTed and answered at once. Nothing is stored.

Mirrors:  kubernetes/pkg/registry/{authentication,authorization}/*
"""

from cluster.apiserver.registry.resource import Resource

AUTHENTICATION, AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"
CREATE = ("create",)


def _review(group: str, kind: str, namespaced: bool = False) -> Resource:
    return Resource(group, "v1", kind, f"{kind.lower()}s", namespaced=namespaced, verbs=CREATE)


RESOURCES = (
    _review(AUTHENTICATION, "SelfSubjectReview"),
    _review(AUTHENTICATION, "TokenReview"),
    _review(AUTHORIZATION, "LocalSubjectAccessReview", namespaced=True),
    _review(AUTHORIZATION, "SelfSubjectAccessReview"),
    _review(AUTHORIZATION, "SelfSubjectRulesReview"),
    _review(AUTHORIZATION, "SubjectAccessReview"),
)
BODIES = (_review(AUTHENTICATION, "TokenRequest"),)
