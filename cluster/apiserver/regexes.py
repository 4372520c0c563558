"""Regular expressions as Go has them: RE2, whose matching takes time in proportion to the text, whatever the pattern.

Patterns come from users' schemas and rules. Python's own engine could be kept busy for years by one of them.

Mirrors:  Go's package regexp
"""

from functools import lru_cache
from typing import Any

import re2

_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "unexpected )": "unexpected )",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
}
_options = re2.Options()
_options.log_errors = False


class Invalid(ValueError):
    """`error parsing regexp: missing closing ): `(``"""


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The pattern, with `search(text)`. Errors: Invalid, in Go's words."""
    try:
        return re2.compile(pattern, _options)
    except re2.error as error:
        text = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error.args[0])
        problem, _, where = text.partition(": ")
        raise Invalid(f"error parsing regexp: {_WORDS.get(problem, problem)}: `{where}`") from None


def matches(pattern: str, text: str) -> bool:
    """Does the pattern match anywhere in `text`? Errors: Invalid."""
    return compiled(pattern).search(text) is not None
