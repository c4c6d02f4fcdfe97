"""What can be measured without HTTP: the bare numbers of a page, the snapshot, what is cold, how
many queries.
"""

import json
import os
import subprocess
import sys
import time

from . import questions, servers


def connect(database: str) -> None:
    """Makes this process read a database; once per process and database."""
    os.environ |= {
        "CASEBOOK_SECRET_KEY": "benchmark",
        "CASEBOOK_HTTPS": "0",
        "DATABASE_URL": database,
        "CASEBOOK_SNAPSHOTS": str(servers.ROOT / "var" / "bench" / "snapshots"),
        "DJANGO_SETTINGS_MODULE": "evidence.settings",
    }
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    from django.db import connection

    path = database.removeprefix("sqlite:///")
    if connection.settings_dict["NAME"] != path:
        from evidence.counting.snapshot import store as serving
        from evidence.models.consistency import clear_cache

        connection.close()
        connection.settings_dict["NAME"] = path
        serving.served.clear()
        serving.sizes.clear()
        clear_cache()


def measure(database: str, collection: str, *, short: bool) -> dict:
    """In a process of its own, so that memory is its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.inside",
        database,
        collection,
        "short" if short else "long",
    ]
    output = subprocess.run(
        command, cwd=servers.ROOT, check=True, capture_output=True, text=True
    ).stdout
    return json.loads(output.splitlines()[-1])


def edit(database: str, collection: str) -> None:
    """One published edit of one patient, as a curator makes it, from another process."""
    code = (
        "import django; django.setup()\n"
        "from evidence.models import Patient\n"
        "p = "
        f"Patient.objects.filter(study__collection__slug={collection!r}).order_by('pk').first()\n"
        # changes no number, since the data are used again
        "p.notes = 'read again' if not p.notes else ''\n"
        "from django.db import transaction\n"
        "with transaction.atomic(): p.save()\n"
    )
    env = os.environ | {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "evidence.settings"}
    subprocess.run([sys.executable, "-c", code], cwd=servers.ROOT, env=env, check=True)


def median(function, times: int) -> float:
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        spent.append(time.perf_counter() - started)
    return round(sorted(spent)[times // 2] * 1e3, 2)


def report(database: str, collection: str, *, short: bool) -> dict:
    connect(database)
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.db import connection
    from django.test import RequestFactory
    from django.test.utils import CaptureQueriesContext

    from evidence import summaries
    from evidence.charts.registry import selected_charts
    from evidence.counting.snapshot import count_tallies
    from evidence.counting.snapshot.answering import QuestionBitsets
    from evidence.counting.snapshot.build import build_snapshot
    from evidence.models import Collection
    from evidence.models.consistency import consistent_read
    from evidence.questions.parsing import parse_request
    from evidence.questions.question import MatchedSet
    from evidence.web.charts import chart_summaries
    from evidence.web.overview import overview_summaries

    settings.ALLOWED_HOSTS, settings.CACHE_RESPONSES = ["*"], False
    record = Collection.objects.get(slug=collection)
    started = time.perf_counter()
    snapshot = build_snapshot(record)
    results = {
        "build_s": round(time.perf_counter() - started, 2),
        "snapshot_mb": round(snapshot.nbytes / 1e6, 1),
    }
    parsed = parse_request(
        RequestFactory().get(questions.casebook(collection, questions.MAIN)), collection
    )
    question, vocabulary = parsed.question, parsed.vocabulary
    answers = QuestionBitsets(snapshot)
    cold = []
    with consistent_read():
        for name, facet in (
            ("sex", "female"),
            ("response", "improved"),
            ("subset", "diffuse"),
            ("study", "synthetic-1"),
        ):
            cold.append(
                median(lambda name=name, facet=facet: answers.part_answer(name, (facet,)), 1)
            )
        for code in ("skin", "ild", "gi"):
            cold.append(
                median(lambda code=code: answers.part_answer("indication", MatchedSet((code,))), 1)
            )
            cold.append(
                median(
                    lambda code=code: answers.part_answer(
                        "manifestation", MatchedSet((code,), "none")
                    ),
                    1,
                )
            )
        cold.append(median(lambda: answers.part_answer("age_min", 50), 1))
        cold.append(median(lambda: answers.part_answer("q", "synthetic-77"), 1))
        results["unseen_value_ms"] = sorted(cold)[len(cold) // 2]
        results["unseen_value_worst_ms"] = max(cold)
        page_summaries = [
            summaries.filter_facets(question, vocabulary, {}),
            summaries.match_summary(question),
            summaries.cohort_totals(question),
            summaries.match_counts(question, vocabulary),
            summaries.list_counts(question),
            *overview_summaries(parsed).values(),
            *chart_summaries(parsed, selected_charts(parsed)).values(),
        ]
        tallies = next(summaries.shares.run_together(page_summaries))
        count_tallies(snapshot, tallies)
        results["bare_ms"] = median(lambda: count_tallies(snapshot, tallies), 3 if short else 25)
    handler, factory = WSGIHandler(), RequestFactory()
    address = questions.casebook(collection, questions.MAIN)
    charts_address = questions.casebook(collection, questions.MAIN, "charts/")

    def page():
        return handler.get_response(factory.get(address))

    def charts():
        in_place = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "charts"}
        return handler.get_response(factory.get(charts_address, **in_place))

    page(), charts()
    with CaptureQueriesContext(connection) as queries:
        page()
    results["queries"] = len(queries)
    results["first_ms"] = median(page, 3 if short else 25)
    results["page_ms"] = median(lambda: (page(), charts()), 3 if short else 25)
    results["page_kb"] = round(len(page().content) / 1e3, 1)
    return results


if __name__ == "__main__":
    print(json.dumps(report(sys.argv[1], sys.argv[2], short=sys.argv[3] == "short")))
