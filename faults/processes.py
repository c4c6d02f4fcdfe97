"""Processes that are killed: a worker, all of them, the server itself."""

import time

from .harness import Case, fault


@fault("a worker is killed while it answers (SIGKILL), five times")
def worker_killed(case: Case) -> None:
    case.serve()
    curator = case.curator()
    case.read()
    for _ in range(5):
        case.healed()
        case.casebook.kill_workers(1)
        curator.save_until(time.monotonic() + 1.5)
    case.settle()
    case.compare(curator)
    case.evidence_holds()


@fault("all workers are killed at once, three times")
def workers_killed(case: Case) -> None:
    case.serve()
    curator = case.curator()
    case.read()
    for _ in range(3):
        case.healed()
        case.casebook.kill_workers()
        curator.save_until(time.monotonic() + 2)
    case.settle()
    case.compare(curator)
    case.evidence_holds()


@fault("the server itself is killed, and started again as systemd does")
def master_killed(case: Case) -> None:
    case.serve()
    curator = case.curator()
    case.read()
    curator.save_until(time.monotonic() + 1)
    case.healed()
    case.casebook.kill_master()
    case.casebook.start()
    curator.save_until(time.monotonic() + 2)
    case.settle()
    case.compare(curator)
    case.evidence_holds()
