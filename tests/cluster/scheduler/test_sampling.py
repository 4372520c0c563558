"""How many fitting nodes the scheduler is content with (percentageOfNodesToScore at its adaptive default)."""

import pytest

from cluster.scheduler.framework import nodes_to_find


@pytest.mark.parametrize("count", [0, 1, 99, 100])
def test_small_clusters_are_looked_at_whole(count):
    assert nodes_to_find(count) == count


@pytest.mark.parametrize(
    ("count", "wanted"), [(101, 100), (200, 100), (250, 120), (1_000, 420), (5_000, 500), (5_624, 337), (6_000, 300)]
)
def test_larger_clusters_are_sampled_by_half_less_one_percent_per_125_nodes(count, wanted):
    assert nodes_to_find(count) == wanted


def test_never_fewer_than_five_percent_are_wanted():
    assert nodes_to_find(5_625) == 281
    assert nodes_to_find(100_000) == 5_000
