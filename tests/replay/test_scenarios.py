"""Each recorded scenario, replayed in virtual time on a world of ours, is the same story as on the real control plane.

What may differ is listed in normal.py, each line with its reason; how a replay is done stands in play.py.
"""

import pytest

from tests.replay import recordings
from tests.replay.compare import differences
from tests.replay.play import play


@pytest.mark.parametrize("name", recordings.names())
def test_the_world_does_what_the_real_control_plane_did(name: str) -> None:
    recorded = recordings.load(name)

    ours = play(recorded)

    different = differences(recorded, ours)
    assert not different, f"{len(different)} differences\n\n" + "\n\n".join(different)
