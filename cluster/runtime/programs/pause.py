"""pause: sleeps for ever. It holds a pod's network namespace open; as a container it does nothing."""

from cluster.runtime.programs.program import MIB, MILLISECOND, Program


class Pause(Program):
    cpu, cpu_per_request, memory, stop_time = 0, 0.0, MIB // 2, MILLISECOND
