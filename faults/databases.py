"""PostgreSQL and Redis that are stopped, hang, or are started anew, under load."""

import signal
import time
from collections.abc import Callable

from .harness import POSTGRESQL, Case, fault

LASTS = 8  # seconds


def away(case: Case, begin: Callable[[], None], end: Callable[[], None]) -> None:
    """Readers and a curator go on while something is away, and after it is back."""
    case.serve()
    curator = case.curator()
    case.read()
    curator.save_until(time.monotonic() + 1)
    case.broken()
    begin()
    ends = time.monotonic() + LASTS
    curator.save_until(ends, pause=0.5)
    time.sleep(max(0, ends - time.monotonic()))
    end()
    case.healed()
    curator.save_until(time.monotonic() + 3)
    case.settle()
    if curator.answers:
        case.remark(f"a curator was told: {curator.answers[0]}")
    case.compare(curator)
    case.evidence_holds()


@fault(f"PostgreSQL is stopped for {LASTS} s", on=(POSTGRESQL,), short_on=(POSTGRESQL,))
def postgresql_stopped(case: Case) -> None:
    cluster = case.home.cluster
    away(case, cluster.stop, cluster.start)


@fault(f"PostgreSQL hangs for {LASTS} s (SIGSTOP)", on=(POSTGRESQL,))
def postgresql_hangs(case: Case) -> None:
    cluster = case.home.cluster
    away(case, lambda: cluster.signal(signal.SIGSTOP), lambda: cluster.signal(signal.SIGCONT))


@fault("PostgreSQL is restarted three times", on=(POSTGRESQL,))
def postgresql_restarted(case: Case) -> None:
    cluster = case.home.cluster
    case.serve()
    curator = case.curator()
    case.read()
    for _ in range(3):
        curator.save_until(time.monotonic() + 1)
        case.broken()
        cluster.stop("fast")
        cluster.start()
        case.healed()
        curator.save_until(time.monotonic() + 2)
    case.settle()
    case.compare(curator)
    case.evidence_holds()


@fault(f"Redis is stopped for {LASTS} s", on=(POSTGRESQL,))
def redis_stopped(case: Case) -> None:
    away(case, case.home.redis.stop, case.home.redis.start)


@fault(f"Redis hangs for {LASTS} s (SIGSTOP)", on=(POSTGRESQL,))
def redis_hangs(case: Case) -> None:
    redis = case.home.redis
    away(case, lambda: redis.signal(signal.SIGSTOP), lambda: redis.signal(signal.SIGCONT))


@fault(f"PostgreSQL and Redis are both stopped for {LASTS} s", on=(POSTGRESQL,))
def both_stopped(case: Case) -> None:
    cluster, redis = case.home.cluster, case.home.redis

    def begin() -> None:
        redis.stop()
        cluster.stop()

    def end() -> None:
        cluster.start()
        redis.start()

    away(case, begin, end)


@fault(f"PostgreSQL and Redis both hang for {LASTS} s (SIGSTOP)", on=(POSTGRESQL,))
def both_hang(case: Case) -> None:
    def to_both(which: signal.Signals) -> None:
        case.home.redis.signal(which)
        case.home.cluster.signal(which)

    away(case, lambda: to_both(signal.SIGSTOP), lambda: to_both(signal.SIGCONT))
