"""CSV downloads: rows per second, first byte, memory; and whether a slow one arrives whole."""

import csv
import io
import sqlite3
import threading
import time
import urllib.request
from pathlib import Path

from . import servers

RAW = """SELECT p.slug, t.number, y.slug, y.short_name, y.year, y.design, y.doi, j.slug, t.dose, t.duration_months,
    t.indication_set, (SELECT group_concat(h.code, '; ') FROM evidence_treatment_concomitant_therapies x
    JOIN evidence_therapy h ON h.id = x.therapy_id WHERE x.treatment_id = t.id), t.response, t.relapsed,
    t.adverse_events, t.stopped, t.stop_reason, y.extraction, c.slug, c.caveat
    FROM evidence_treatment t JOIN evidence_patient p ON p.id = t.patient_id JOIN evidence_study y ON y.id = p.study_id
    JOIN evidence_collection c ON c.id = y.collection_id JOIN evidence_jakinhibitor j ON j.id = t.inhibitor_id
    WHERE c.slug = ? AND y.state = 'published' AND p.state = 'published' AND p.same_as_id IS NULL
    ORDER BY p.slug, t.number"""  # noqa: E501


def raw(source: Path, collection: str) -> dict:
    """The floor: the same rows and columns by sqlite3 and csv alone."""
    cursor = sqlite3.connect(source).execute(RAW, [collection])
    started, rows = time.perf_counter(), 0
    while batch := cursor.fetchmany(2000):
        text = io.StringIO()
        csv.writer(text).writerows(batch)
        rows += len(batch)
        text.getvalue().encode()
    return {"rows": rows, "rate": round(rows / (time.perf_counter() - started))}


def download(server: servers.Server, path: str, pause: float = 0) -> dict:
    """Reads a file to its end, watching the server's memory; `pause` seconds between reads make a
    slow reader.
    """
    idle, peak, stop = server.unique_memory(), [0.0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            peak[0] = max(peak[0], server.unique_memory())
            stop.wait(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started, first, rows = time.perf_counter(), None, 0
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=900) as response:
        while part := response.read(1 << 16):
            first = first or time.perf_counter() - started
            rows += part.count(b"\n")
            if pause:
                time.sleep(pause)
    spent = time.perf_counter() - started
    stop.set()
    watcher.join()
    return {
        "rows": rows - 1,
        "rate": round(rows / spent),
        "first_ms": round(first * 1e3, 1),
        "seconds": round(spent, 1),
        "more_mb": round(peak[0] - idle, 1),
    }


def measure(source: Path, flat: Path, collection: str, size: int) -> dict:
    results = {"raw": raw(source, collection)}
    server = servers.casebook("export", f"sqlite:///{source}", WEB_CONCURRENCY="1").start()
    try:
        # A small file first: what is loaded on first use is not the file's. Studies are asked as
        # files always are.
        download(server, "/published/treatments.csv")
        download(server, f"/{collection}/treatments.csv?inhibitor=itacitinib&sex=male")
        results["casebook"] = download(server, f"/{collection}/treatments.csv")
        if size <= 100_000:
            results["patients"] = download(server, f"/{collection}/patients.csv")
        if size == 100_000:
            results["slow_reader"] = download(server, f"/{collection}/treatments.csv", pause=0.15)
    finally:
        server.stop()
    if (servers.PEERS / "datasette").exists():
        peer = servers.datasette(flat, tuned=True).start()
        try:
            results["datasette"] = download(
                peer, f"/{flat.stem}/treatments.csv?_stream=on&_size=max"
            )
        finally:
            peer.stop()
    return results
