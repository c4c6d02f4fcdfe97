"""The answers of the API as plain values: from the same summaries, columns and charts as the pages."""

from collections.abc import Callable
from dataclasses import replace
from itertools import repeat
from urllib.parse import urlencode

from django.http import QueryDict

from .. import summaries
from ..charts import Chart, forest_chart
from ..charts.registry import CHARTS, build_chart
from ..downloads.release_status import release_status
from ..downloads.rows import evidence_kind
from ..models import Collection, Release
from ..models.choices import Match
from ..models.consistency import all_collections
from ..questions.filters import FILTERS, SETS, AskedInWords, Bound, Search, asked_of_both, asked_of_patients
from ..questions.parsing import ParsedRequest
from ..questions.vocabulary import Vocabulary
from ..summaries import Share, run_summaries
from ..tables import TABLES, Batch, Column, Table, batches, page_records
from ..tables.column import SEPARATOR
from ..tables.dictionary import Entry, dictionary
from .params import PageOfList, make_cursor

Absolute = Callable[[str], str]  # a path on this host -> an address


def answer_head(asked: ParsedRequest, absolute: Absolute, in_words: AskedInWords | None = None) -> dict:
    """What every answer says of itself; `in_words` is how the question was asked, where not all of it was."""
    collection = asked.collection
    told = in_words or asked_of_patients(asked.question, asked.vocabulary)
    return {
        "collection": collection.slug,
        "evidence_kind": evidence_kind(collection),
        "release": release_status(collection).as_json(),
        "question": {
            "words": told.words,
            "not_asked": told.not_asked,
            "query": asked.question.query(),
            "page": absolute(asked.question.page),
        },
    }


# Lists


def list_page(table: Table, asked: ParsedRequest, part: PageOfList, given: QueryDict, absolute: Absolute) -> dict:
    """One page of a list: the whole count beside the rows, and where the next and the previous page are."""
    question = asked.question
    count = how_many(table, asked)
    stop = min(part.start + part.size, count)
    records = page_records(table, question, part.sort, part.start, stop)
    kind, found = evidence_kind(asked.collection), []
    if part.start < stop:
        for batch in batches(part.columns, table, records, question):
            found += [dict(row) for row in zip(*row_cells(part.columns, batch), repeat(("evidence_kind", kind)))]

    def address(start: int) -> str:
        kept = [(name, value) for name, value in given.lists() if name != "cursor"]
        words = [(name, each) for name, values in kept for each in values if each]
        if start:
            words.append(("cursor", make_cursor(start, table, asked, part.sort)))
        path = f"/api/v1/{asked.collection.slug}/{table.noun}/"
        return absolute(f"{path}?{urlencode(words)}" if words else path)

    return answer_head(asked, absolute, table.in_words(question, asked.vocabulary)) | {
        "count": count,
        "next": address(stop) if stop < count else None,
        "previous": address(max(0, part.start - part.size)) if part.start else None,
        "results": found,
    }


def row_cells(columns: list[Column], batch: Batch) -> list:
    """Each column as (name, value) pairs, and why its empty values are empty."""
    named = [
        [(column.name, value) for value in split_lists(column, values, batch.reasons)]
        for column, values in zip(columns, batch.values, strict=True)
    ]
    return [*named, [("empty_means", reason) for reason in batch.reasons]]


def split_lists(column: Column, values: list, reasons: list[str]) -> list:
    """Lists as lists; a value in them that is not known is null."""
    if not column.lookup:
        return values
    return [
        value and [None if each == reason else each for each in value.split(SEPARATOR)]
        for value, reason in zip(values, reasons, strict=True)
    ]


def how_many(table: Table, asked: ParsedRequest) -> int:
    """The rows of the whole list, as its page counts them."""
    (totals,) = run_summaries(summaries.cohort_totals(asked.question))
    counted = totals.of(table.unit)
    return table.records(asked.question).count() if counted is None else counted


# Numbers


def share_json(found: Share) -> dict:
    """A share, whole: nobody should have the percentage alone."""
    return {
        "label": found.label,
        "key": found.key,
        "count": found.count,
        "known": found.known,
        "not_reported": found.not_reported,
        "not_extracted": found.not_extracted,
        "unit": str(found.unit),
        "percent": found.percent,
        "interval_95": found.interval and list(found.interval),
        "asked_for": found.asked_for,
        "text": str(found),
    }


def summary_json(asked: ParsedRequest, absolute: Absolute) -> dict:
    """All shares of a question."""
    question, words = asked.question, asked.vocabulary
    answer, totals, headlines, domains, drugs, sets, combined, events, people = run_summaries(
        summaries.match_summary(question),
        summaries.cohort_totals(question),
        summaries.headline_shares(question),
        summaries.outcomes_by_domain(question),
        summaries.response_by_inhibitor(question, words),
        summaries.response_by_indication_set(question, words),
        summaries.value_combinations(question, "indication", words),
        summaries.events_by_category(question, words),
        summaries.age_and_sex(question),
    )
    cover = summaries.group_cover(question)
    return answer_head(asked, absolute) | {
        "sentence": str(answer),
        "answer": {
            "matching": answer.matching,
            "open": answer.open,
            "open_not_reported": answer.open_not_reported,
            "open_not_extracted": answer.open_not_extracted,
        },
        "totals": {name: getattr(totals, name) for name in ("patients", "treatments", "studies", "outcomes", "events")},
        "headlines": [share_json(each) for each in headlines],
        "improved_by_domain": [share_json(each) for each in domains],
        "improved_by_domain_rule": summaries.outcome_rule(question),
        "indication_sets": [share_json(each) for each in combined.sets],
        "indication_sets_at_least": [
            {"label": label, "key": key, "patients": patients} for key, label, patients in combined.at_least
        ],
        "response_by_inhibitor": [breakdown_json(each) for each in drugs],
        "response_by_indication_set": [breakdown_json(each) for each in sets],
        "adverse_events": [
            share_json(each.patients)
            | {
                "events": each.events,
                "serious": each.serious,
                "not_serious": each.not_serious,
                "graded": each.graded,
                "grade_3_or_more": each.severe,
            }
            for each in events
        ],
        "age": {
            "known": share_json(people.known),
            "median": people.median,
            "youngest": people.youngest,
            "oldest": people.oldest,
        },
        "sex": {str(sex): times for sex, times in sorted(people.sexes.items())},
        "groups": cover.sentence,
        "groups_not_asked": cover.not_asked,
    }


def breakdown_json(found) -> dict:
    return {
        "label": found.label,
        "key": found.key,
        "list_may_not_be_complete": found.partial,
        "verdicts": found.counts,
        "improved": share_json(found.improved),
    }


def chart_json(name: str, asked: ParsedRequest, absolute: Absolute) -> dict:
    """A chart's numbers, as its file has them."""
    return numbers(build_chart(asked, name), asked, absolute)


def forest(item: str, shared: bool, asked: ParsedRequest, absolute: Absolute) -> dict:
    """The numbers of a forest plot, as its file has them, and what is pooled without each study.

    Raises KeyError for an item that is not in `summaries.forest_items`.
    """
    found = summaries.forest_plot(asked.question, item, asked.vocabulary, shared=shared)
    without = [
        {
            "study": row.slug,
            "percent": each.pooled and 100 * each.pooled.proportion,
            "interval_95_t": each.pooled and [100 * end for end in each.pooled.interval_t],
            "refused": each.refused,
        }
        for row, each in found.without
    ]
    in_words = asked_of_both(asked.question, asked.vocabulary) if found.not_asked else None
    return numbers(replace(forest_chart(found, asked.collection), in_words=in_words), asked, absolute) | {
        "item": item,
        "refused": found.refused,
        "without_each_study": without,
    }


def numbers(drawn: Chart, asked: ParsedRequest, absolute: Absolute) -> dict:
    columns, found = drawn.table.for_programs
    return answer_head(asked, absolute, drawn.in_words) | {
        "name": drawn.name,
        "title": drawn.title,
        "sentence": drawn.sentence,
        "note": drawn.note,
        "columns": columns,
        "rows": [[cell if cell != "" else None for cell in row] for row in found],
    }


# What there is


def api_root(absolute: Absolute) -> dict:
    """The collections, and where to go on."""
    return {
        "collections": [collection_json(each, absolute) for each in all_collections()],
        "releases": absolute("/api/v1/releases/"),
        "dictionary": absolute("/api/v1/dictionary/"),
        "schema": absolute("/api/schema/"),
        "documentation": absolute("/api/"),
    }


def collection_json(collection: Collection, absolute: Absolute) -> dict:
    """A collection: what it is, and the addresses below it."""
    base = f"/api/v1/{collection.slug}/"
    return {
        "collection": collection.slug,
        "name": collection.name,
        "evidence_kind": evidence_kind(collection),
        "description": collection.description,
        "release": release_status(collection).as_json(),
        "lists": {noun: absolute(f"{base}{noun}/") for noun in TABLES},
        "summary": absolute(f"{base}summary/"),
        "forest": absolute(f"{base}forest/"),
        "filters": absolute(f"{base}filters/"),
        "charts": {name: absolute(f"{base}charts/{name}/") for name in CHARTS},
        "phenopackets": absolute(f"/{collection.slug}/phenopackets.json"),
        "bundle": absolute(f"/{collection.slug}/bundle.zip"),
    }


def filters_json(collection: Collection, words: Vocabulary) -> dict:
    """Every word a question can be asked in, with its values."""
    return {
        "collection": collection.slug,
        "evidence_kind": evidence_kind(collection),
        "filters": [filter_json(name, words) for name in FILTERS],
    }


def filter_json(name: str, words: Vocabulary) -> dict:
    asked = FILTERS[name]
    options = {} if isinstance(asked, Bound | Search) else asked.options(words)
    return {
        "name": name,
        "label": asked.label,
        "match": list(Match.values) if name in SETS else [],
        "values": [{"value": value, "label": label} for value, label in options.items()],
        "minimum": asked.extra.get("min_value"),
        "maximum": asked.extra.get("max_value"),
    }


def releases_json(absolute: Absolute) -> dict:
    """All releases, the latest first."""
    return {
        "releases": [
            {
                "release": each.number,
                "released_at": each.released_at.isoformat(),
                "data_version": each.data_version,
                "content_hash": each.content_hash,
                "notes": each.notes,
                "collections": [
                    {
                        "collection": held.slug,
                        "evidence_kind": evidence_kind(held),
                        "rows": dict(held.rows),
                        "changes": dict(held.changes),
                        "content_hash": held.content_hash,
                        "archive": absolute(f"/releases/{each.number}/{held.slug}.zip"),
                        "sha256": held.sha256,
                        "bytes": held.size,
                    }
                    for held in each.collections.all()
                ],
            }
            for each in Release.objects.prefetch_related("collections")
        ]
    }


def dictionary_json() -> dict:
    """The data dictionary of the lists."""
    return {"lists": [{"list": table.noun, "fields": list(map(field_json, found))} for table, found in dictionary()]}


def field_json(entry: Entry) -> dict:
    return {
        "field": entry.name,
        "label": entry.label,
        "meaning": entry.meaning,
        "type": entry.type,
        "unit": entry.unit,
        "values": [{"value": value, "label": label} for value, label in entry.values],
        "codes": entry.codes,
        "missing": entry.missing,
        "source": entry.source,
    }
