"""Which workers have fallen silent, told without trusting anybody's wall clock.

A sign of life is as old as it has been the latest *as the watcher's own monotonic clock counts it*, and a lease is
over when its sign is older than the lease.  A wall clock that jumps, on whichever machine, ends no lease and keeps
none alive; and after a time in which the database could not be asked, everybody is listened to anew.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


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


class Ages(Generic[Key]):
    """Remembers since when each sign of life has been the latest."""

    def __init__(self) -> None:
        self._since: dict[Key, float] = {}

    def look(self, signs: Mapping[Key, float], now: float) -> dict[Key, float]:
        """How old each sign is, in seconds.

        Args:
            signs: the latest ones; each with the age that it is taken to have where it is seen for the first time.
            now: monotonic seconds.
        """
        self._since = {sign: self._since.get(sign, now - age_s) for sign, age_s in signs.items()}
        return {sign: now - since for sign, since in self._since.items()}


class Watchman:
    """Watches over the leases of running jobs."""

    def __init__(self) -> None:
        self._ages: Ages[Sign] = Ages()

    def silent(self, signs: Iterable[Sign], now: float) -> list[Sign]:
        """The signs that have been the latest for longer than their lease.

        Args:
            signs: of all running jobs, as the database has them.
            now: monotonic seconds.
        """
        ages = self._ages.look(dict.fromkeys(signs, 0.0), now)
        return [sign for sign, age_s in ages.items() if age_s > sign.lease_s]

    def forget(self) -> None:
        """Listen to everybody anew: the database could not be asked for a while."""
        self._ages = Ages()
