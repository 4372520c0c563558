"""The generic server: what runs when an image is not in the catalogue. It says so; nobody is misled."""

from cluster.runtime.programs.program import MIB, MILLISECOND, Line, Program


class Generic(Program):
    cpu, memory = 2, 24 * MIB

    def speaks(self, port: int) -> str:
        return "any"

    def at_start(self) -> list[Line]:
        image, argv = self.process.image, " ".join(self.process.argv)
        lines = [f'orrery: no program is known for the image "{image}"; a generic server stands in for it']
        if argv:
            lines.append(f"orrery: the command is not executed: {argv}")
        lines.append("orrery: listening on every port that the pod declares")
        return [self.printed((10 + n) * MILLISECOND, text) for n, text in enumerate(lines)]

    def at_stop(self) -> list[Line]:
        at = (self.process.stopped or 0) + MILLISECOND
        return [Line(at, "stdout", "orrery: SIGTERM received, shutting down")]
