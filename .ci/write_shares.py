"""Writes what R compares, a folder for each question: `python .ci/write_shares.py FOLDER`.

In each stand `courses.csv`, `bundle.sqlite`, and `shares.csv` with every share that the overview,
its charts and the API show of that question.
"""

import csv
import os
import sys
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evidence.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.test import Client  # noqa: E402

from evidence.models import Collection  # noqa: E402

QUESTIONS = [
    "",
    "inhibitor=tofacitinib",
    "inhibitor=baricitinib&sex=female",
    "indication=ild&indication=skin&indication_match=all",
    "assessed=3",
    "adverse_events=events",
    "year_max=2020",
]
KINDS = {
    "headlines": "headline",
    "improved_by_domain": "domain",
    "adverse_events": "event",
    "indication_sets": "indication_set",
}
COUNTS = ("count", "known", "not_reported", "not_extracted")


def asked(client: Client, address: str) -> bytes:
    """What an address answers. Raises RuntimeError for anything but 200."""
    response = client.get(address)
    if response.status_code != 200:
        raise RuntimeError(f"{address}: {response.status_code}")
    return response.getvalue()


def shares_of(summary: dict) -> list[tuple]:
    """(kind, key, n, N, not reported, not extracted) of every share."""
    shares = [
        (kind, share["key"], share) for name, kind in KINDS.items() for share in summary[name]
    ]
    shares += [
        ("inhibitor", row["key"], row["improved"]) for row in summary["response_by_inhibitor"]
    ]
    shares += [
        (
            "response_at_least" if row["list_may_not_be_complete"] else "response_to_set",
            row["key"],
            row["improved"],
        )
        for row in summary["response_by_indication_set"]
    ]
    shares.append(("age", "age", summary["age"]["known"]))
    return [(kind, key, *(share[name] for name in COUNTS)) for kind, key, share in shares]


def write_question(client: Client, folder: Path, slug: str, query: str) -> None:
    folder.mkdir(parents=True)
    for name in ("courses.csv", "bundle.sqlite"):
        (folder / name).write_bytes(asked(client, f"/{slug}/{name}?{query}"))
    summary = client.get(f"/api/v1/{slug}/summary/?{query}").json()
    with (folder / "shares.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("kind", "key", *COUNTS))
        writer.writerows(shares_of(summary))


def main() -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.SECURE_SSL_REDIRECT = False
    client = Client()
    for collection in Collection.objects.all():
        for number, query in enumerate(QUESTIONS):
            folder = Path(sys.argv[1]) / f"{collection.slug}-{number}"
            write_question(client, folder, collection.slug, query)
            print(f"{folder.name}: {query or 'everybody'}")


if __name__ == "__main__":
    main()
