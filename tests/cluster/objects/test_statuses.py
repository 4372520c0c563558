"""The Status bodies of refusals, letter by letter as the real server sends them."""

import pytest

from cluster.objects import Manifest, errors

HEAD = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
PROBLEM = {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.selector"}


@pytest.mark.parametrize(
    ("error", "rest"),
    [
        (
            errors.NotFound("apps", "deployments", "x"),
            {
                "message": 'deployments.apps "x" not found',
                "reason": "NotFound",
                "details": {"name": "x", "group": "apps", "kind": "deployments"},
                "code": 404,
            },
        ),
        (
            errors.AlreadyExists("", "pods", "web"),
            {
                "message": 'pods "web" already exists',
                "reason": "AlreadyExists",
                "details": {"name": "web", "kind": "pods"},
                "code": 409,
            },
        ),
        (
            errors.Conflict("", "pods", "web", errors.MODIFIED),
            {
                "message": 'Operation cannot be fulfilled on pods "web": the object has been modified;'
                " please apply your changes to the latest version and try again",
                "reason": "Conflict",
                "details": {"name": "web", "kind": "pods"},
                "code": 409,
            },
        ),
        (
            errors.Invalid("apps", "Deployment", "x", [PROBLEM]),
            {
                "message": 'Deployment.apps "x" is invalid: spec.selector: Required value',
                "reason": "Invalid",
                "details": {"name": "x", "group": "apps", "kind": "Deployment", "causes": [PROBLEM]},
                "code": 422,
            },
        ),
        (
            errors.TooManyRequests("Cannot evict", [{"reason": "DisruptionBudget", "message": "m"}], retry_after=10),
            {
                "message": "Cannot evict",
                "reason": "TooManyRequests",
                "details": {"causes": [{"reason": "DisruptionBudget", "message": "m"}], "retryAfterSeconds": 10},
                "code": 429,
            },
        ),
        (errors.BadRequest("no"), {"message": "no", "reason": "BadRequest", "code": 400}),
        (errors.InternalError("oops"), {"message": "oops", "code": 500}),
        (
            errors.PathNotFound(),
            {
                "message": "the server could not find the requested resource",
                "reason": "NotFound",
                "details": {},
                "code": 404,
            },
        ),
    ],
)
def test_a_refusal_becomes_its_status(error: errors.ApiError, rest: Manifest):
    assert list(error.status_object().items()) == list((HEAD | rest).items())


def test_several_problems_are_listed_in_brackets():
    second = {"reason": "FieldValueInvalid", "message": 'Invalid value: "x": no', "field": "spec.a"}

    error = errors.Invalid("", "Pod", "p", [PROBLEM, second])

    assert error.message == 'Pod "p" is invalid: [spec.selector: Required value, spec.a: Invalid value: "x": no]'
