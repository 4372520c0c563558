"""Flags of a kubelet, as they are typed and as they are said again."""

import pytest

from dashboard import kubelet_flags
from dashboard.said import in_words

TYPED = ["--eviction-hard", "memory.available<200Mi,nodefs.available<5%", "--image-gc-high-threshold=70"]
CONFIGURATION = {
    "evictionHard": {"memory.available": "200Mi", "nodefs.available": "5%"},
    "imageGCHighThresholdPercent": 70,
}


def test_flags_become_fields_of_the_configuration():
    assert kubelet_flags.given(TYPED) == CONFIGURATION


def test_a_node_s_line_says_its_kubelet_s_flags():
    line = in_words({"type": "node-add", "name": "a", "storage": "20Gi", "kubelet": CONFIGURATION})["v"]

    assert line == (
        "python manage.py node add a --storage 20Gi "
        "--eviction-hard 'memory.available<200Mi,nodefs.available<5%' --image-gc-high-threshold 70"
    )


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--max-pods", "5"], "unknown flag: --max-pods; known are: --eviction-hard"),
        (["--eviction-hard"], "flag needs an argument: --eviction-hard"),
        (["--eviction-hard=memory"], "it must look like SIGNAL<VALUE"),
        (["--kube-reserved=cpu"], "it must look like RESOURCE=VALUE"),
        (["--image-gc-low-threshold=few"], "it must be a whole number"),
    ],
)
def test_what_is_wrong_is_named(words: list[str], problem: str):
    with pytest.raises(ValueError, match=problem):
        kubelet_flags.given(words)
