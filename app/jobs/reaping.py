"""Which workers have fallen silent, told without trusting anybody's wall clock.

A lease is over when its heartbeat has stood still for the length of the lease *as the watcher's own
monotonic clock counts it*.  A wall clock that jumps, on whichever machine, ends no lease and keeps none
alive; and after a time in which the database could not be asked, everybody is listened to anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sign:
    """The latest sign of life of a running job's worker.

    Attributes:
        job_id: the job.
        token: the worker's lease.
        heartbeat_at: the worker's clock when it last gave a sign, seconds since the epoch.
        lease_s: seconds of silence after which the job may be taken from it.
    """

    job_id: str
    token: str
    heartbeat_at: float
    lease_s: float


@dataclass
class Watchman:
    """Remembers since when each sign of life has been the latest."""

    _since: dict[Sign, float] = field(default_factory=dict)

    def silent(self, signs: Iterable[Sign], now: float) -> list[Sign]:
        """The signs that have been the latest for longer than their lease.

        Args:
            signs: of all running jobs, as the database has them.
            now: monotonic seconds.
        """
        self._since = {sign: self._since.get(sign, now) for sign in signs}
        return [sign for sign, since in self._since.items() if now - since > sign.lease_s]

    def forget(self) -> None:
        """Listen to everybody anew: the database could not be asked for a while."""
        self._since = {}
