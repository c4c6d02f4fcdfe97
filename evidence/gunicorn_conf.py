"""How gunicorn serves Casebook: `gunicorn -c python:evidence.gunicorn_conf evidence.wsgi`."""

import gc
import os
import shutil
import sys
import tempfile

from evidence.settings import BEHIND_PROXY, METRICS, PROXIES

bind = f"{os.environ.get('CASEBOOK_BIND') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"
# A sync worker is killed in mid-download when `timeout` passes, and the file looks complete; a
# threaded one is not. Ours also receives a request whole before a thread has to answer it.
worker_class = "evidence.worker.Worker"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = int(os.environ.get("CASEBOOK_THREADS") or 4)
preload_app = True  # imported once, then forked: starts sooner, and workers share the memory
timeout = 60
# seconds in which a stopping server lets downloads end
graceful_timeout = int(os.environ.get("CASEBOOK_GRACEFUL_SECONDS") or 120)
keepalive = 5
# gunicorn's most: a question can name many studies; longer ones are answered 400
limit_request_line = 8190
max_requests, max_requests_jitter = 200_000, 20_000  # a new worker begins with nothing kept
errorlog = "-"
accesslog = None  # it would name addresses; observing.py logs requests
logger_class = "evidence.logs.ServerLogger"
loglevel = "warning"
control_socket_disable = True
# What a request says of the way it came is believed of named proxies alone. Left to itself gunicorn
# believes everybody on this machine, also which path Casebook lives under (SCRIPT_NAME), which
# nobody may say.
forwarded_allow_ips = ",".join(PROXIES)
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"} if BEHIND_PROXY else {}
forwarder_headers = ""

# Each worker counts for itself, in a folder that whoever answers /metrics adds up. It is made anew
# with each server, so that nothing is added to what a server before it counted.
FOLDER, MADE_BY = "PROMETHEUS_MULTIPROC_DIR", "CASEBOOK_METRICS_MADE_BY"
if METRICS and os.environ.get(MADE_BY) != str(os.getpid()):
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="casebook-metrics-")
    os.environ[MADE_BY] = str(os.getpid())


def child_exit(server, worker):
    """What a worker that has ended was just doing is not being done any more."""
    if METRICS:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)


def on_exit(server):
    if METRICS and os.environ.get(MADE_BY) == str(os.getpid()):
        shutil.rmtree(os.environ[FOLDER], ignore_errors=True)


def when_ready(server):
    """Reads large collections into memory before the first request, and before the workers fork, so
    that the workers share them.

    It also imports what comparing and pooling need, which takes a second or two.
    """
    import scipy.optimize  # noqa: F401
    from django.db import DatabaseError, connections

    from evidence.counting import load_all_snapshots

    try:
        for collection, snapshot in load_all_snapshots():
            if snapshot.patients:
                server.log.debug("%s: %s patients in memory", collection.slug, snapshot.patients)
    except DatabaseError as error:
        server.log.warning("The database cannot be read yet: %s", error)
    connections.close_all()
    gc.collect()
    gc.freeze()  # what is here now stays; workers need not look through it, nor copy it by looking
    # A thread that has asked the database waits for those that compute; five milliseconds each,
    # unless told otherwise.
    sys.setswitchinterval(0.0005)
    gc.set_threshold(20_000, 20, 20)  # a page makes a hundred thousand objects and leaves none
    host = "localhost" if bind.startswith("127.0.0.1") else bind.rsplit(":", 1)[0]
    print(
        f"\n  Casebook is at http://{host}:{bind.rsplit(':', 1)[1]}/   (Ctrl-C stops it)\n",
        flush=True,
    )
