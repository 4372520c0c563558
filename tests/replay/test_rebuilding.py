"""A world that is taken down and rebuilt every few steps lives exactly the life of one that stays."""

import pytest

from cluster.world import World
from tests.replay import recordings
from tests.replay.play import Player, play

STEPS = 7  # Taken between two rebuildings: a number that falls into the middle of everything.


class Restless(Player):
    """A player whose world is rebuilt from its dump all the time."""

    def run_to(self, moment: int) -> None:
        while (due := self.cluster.world.next_due()) is not None and due <= moment:
            self.cluster.world.run(moment, step_limit=self.cluster.world.clock.step + STEPS)
            self.cluster.world.commit()
            self.cluster.world = rebuilt(self.cluster.world)
        super().run_to(moment)


def rebuilt(world: World) -> World:
    """The world that a dump of `world` describes. Without a database its log has to be carried over."""
    new = World.restore(world.checkpoint_body(), world.objects())
    new.history, new.inputs, new.happenings = world.history, world.inputs, world.happenings
    return new


@pytest.mark.parametrize(
    "name",
    ["bare-pod", "cascade-foreground", "pdb-eviction", "preemption", "quota", "rollout-undo", "service-endpoints"],
)
def test_rebuilding_all_the_time_changes_nothing(name: str) -> None:
    recorded = recordings.load(name)

    resident, restless = play(recorded), play(recorded, Restless)

    assert restless == resident
