"""Whether this node is being stopped: the supervisor says so, workers tell balancers."""

import mmap


class Draining:
    """One byte that the supervisor shares with the workers that it forks."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def begin(self) -> None:
        """From now on the node is not ready, however well it works."""
        self._byte[0] = 1

    def __call__(self) -> bool:
        """Whether it began."""
        return bool(self._byte[0])
