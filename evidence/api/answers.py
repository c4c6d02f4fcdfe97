"""The answers of the API as plain values: from the same summaries, columns and charts as the
pages.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import repeat
from urllib.parse import urlencode

from django.http import QueryDict

from .. import summaries
from ..charts import Chart, forest_chart
from ..charts.registry import CHARTS, build_chart
from ..downloads.differences import AskedDifferences
from ..downloads.release_status import release_status
from ..downloads.rows import evidence_kind
from ..models import Collection, Release
from ..models.choices import Match
from ..models.consistency import all_collections
from ..questions.filters import (
    FILTERS,
    SETS,
    AskedQuestion,
    Bound,
    Search,
    describe_for_patients,
    describe_for_patients_and_groups,
)
from ..questions.parsing import ParsedRequest
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..summaries import AgeAndSex, Answer, Share, run_summaries
from ..tables import FILE_TABLES, TIDY, Batch, Column, Table, page_records, read_batches
from ..tables.column import SEPARATOR
from ..tables.dictionary import Entry, bundle_entries, dictionary_entries
from ..tables.ontology_codes import ontology_code_rows
from .params import PageOfList, make_cursor

Absolute = Callable[[str], str]  # a path on this host -> an address
# The tables that have a list here: those that have a file, and where each value comes from.
LISTED = FILE_TABLES | {"provenance": TIDY["provenance"].table}


def collection_head(collection: Collection) -> dict:
    """The fields that begin every response of a collection."""
    return {
        "collection": collection.slug,
        "evidence_kind": evidence_kind(collection),
        "release": release_status(collection).as_json(),
    }


def question_json(question: Question, in_words: AskedQuestion, absolute: Absolute) -> dict:
    """A question: in words as it was asked, as a query string, and where its page is."""
    return {
        "words": in_words.text,
        "not_asked": in_words.not_asked,
        "query": question.query(),
        "page": absolute(question.page),
    }


def answer_head(
    parsed: ParsedRequest, absolute: Absolute, in_words: AskedQuestion | None = None
) -> dict:
    """The same, and the question. `in_words` describes it as these rows answer it, where they do
    not answer all of it.
    """
    in_words = in_words or describe_for_patients(parsed.question, parsed.vocabulary)
    return collection_head(parsed.collection) | {
        "question": question_json(parsed.question, in_words, absolute)
    }


# Lists


def list_page(
    table: Table,
    parsed: ParsedRequest,
    page: PageOfList,
    query_params: QueryDict,
    absolute: Absolute,
) -> dict:
    """One page of a list: the whole count beside the rows, and where the next and the previous page
    are.
    """
    question = parsed.question
    count = how_many(table, parsed)
    stop = min(page.start + page.size, count)
    records = page_records(table, question, page.sort, page.start, stop)
    batches = read_batches(page.columns, table, records, question) if page.start < stop else ()
    results = [
        row for batch in batches for row in table_rows(page.columns, batch, parsed.collection)
    ]

    def page_url(start: int) -> str:
        params = [(name, value) for name, value in query_params.lists() if name != "cursor"]
        pairs = [(name, value) for name, values in params for value in values if value]
        if start:
            pairs.append(("cursor", make_cursor(start, table, parsed, page.sort)))
        path = f"/api/v1/{parsed.collection.slug}/{table.noun}/"
        return absolute(f"{path}?{urlencode(pairs)}" if pairs else path)

    return answer_head(parsed, absolute, table.in_words(question, parsed.vocabulary)) | {
        "count": count,
        "next": page_url(stop) if stop < count else None,
        "previous": page_url(max(0, page.start - page.size)) if page.start else None,
        "results": results,
    }


def table_rows(columns: list[Column], batch: Batch, collection: Collection) -> Iterator[dict]:
    """The rows of a batch, each with what its empty values mean and the kind of its evidence."""
    kind = repeat(("evidence_kind", evidence_kind(collection)))
    return (dict(cells) for cells in zip(*row_cells(columns, batch), kind, strict=False))


def row_cells(columns: list[Column], batch: Batch) -> list:
    """Each column as (name, value) pairs, and why its empty values are empty."""
    cells = [
        [(column.name, value) for value in split_lists(column, values, batch.reasons)]
        for column, values in zip(columns, batch.values, strict=True)
    ]
    return [*cells, [("empty_means", reason) for reason in batch.reasons]]


def split_lists(column: Column, values: list, reasons: list[str]) -> list:
    """Lists as lists; a value in them that is not known is null."""
    if not column.is_list:
        return values
    return [
        value and [None if item == reason else item for item in value.split(SEPARATOR)]
        for value, reason in zip(values, reasons, strict=True)
    ]


def how_many(table: Table, parsed: ParsedRequest) -> int:
    """The rows of the whole list, as its page counts them."""
    (totals,) = run_summaries(summaries.cohort_totals(parsed.question))
    count = totals.of(table.unit)
    return table.records(parsed.question).count() if count is None else count


# Numbers


def share_json(share: Share) -> dict:
    """A share with all its counts, so that no client gets a percentage without its denominator."""
    return {
        "label": share.label,
        "key": share.key,
        "count": share.count,
        "known": share.known,
        "not_reported": share.not_reported,
        "not_extracted": share.not_extracted,
        "unit": str(share.unit),
        "percent": share.percent,
        "interval_95": share.interval and list(share.interval),
        "asked_for": bool(share.asked_for),
        "text": str(share),
    }


def answer_json(match: Answer) -> dict:
    """Whom a question answers with yes, and of whom it is open."""
    return {
        "matching": match.matching,
        "open": match.open,
        "open_not_reported": match.open_not_reported,
        "open_not_extracted": match.open_not_extracted,
    }


def demographics_json(demographics: AgeAndSex) -> dict:
    """Age in years, and patients by sex."""
    return {
        "age": {
            "known": share_json(demographics.known),
            "median": demographics.median,
            "youngest": demographics.youngest,
            "oldest": demographics.oldest,
        },
        "sex": {str(sex): count for sex, count in sorted(demographics.sexes.items())},
    }


def summary_json(parsed: ParsedRequest, absolute: Absolute) -> dict:
    """All shares of a question."""
    question, vocabulary = parsed.question, parsed.vocabulary
    (
        match,
        totals,
        headlines,
        domains,
        by_inhibitor,
        by_indication_set,
        combined,
        events,
        demographics,
        lists,
        retracted,
    ) = run_summaries(
        summaries.match_summary(question),
        summaries.cohort_totals(question),
        summaries.headline_shares(question),
        summaries.outcomes_by_domain(question),
        summaries.response_by_inhibitor(question, vocabulary),
        summaries.response_by_indication_set(question, vocabulary),
        summaries.value_combinations(question, "indication", vocabulary),
        summaries.events_by_category(question, vocabulary),
        summaries.age_and_sex(question),
        summaries.list_counts(question),
        summaries.retracted_studies(question),
    )
    group_cover = summaries.group_cover(question)
    return answer_head(parsed, absolute) | {
        "sentence": str(match),
        "answer": answer_json(match),
        "totals": {
            name: getattr(totals, name)
            for name in ("patients", "treatments", "studies", "outcomes", "events")
        },
        "headlines": [share_json(share) for share in headlines],
        "improved_by_domain": [share_json(share) for share in domains],
        "improved_by_domain_rule": summaries.outcome_rule(question),
        "indication_sets": [share_json(share) for share in combined.sets],
        "indication_sets_at_least": [
            {"label": label, "key": key, "patients": patients}
            for key, label, patients in combined.at_least
        ],
        "response_by_inhibitor": [breakdown_json(breakdown) for breakdown in by_inhibitor],
        "response_by_indication_set": [
            breakdown_json(breakdown) for breakdown in by_indication_set
        ],
        "adverse_events": [
            share_json(category.patients)
            | {
                "events": category.events,
                "serious": category.serious,
                "not_serious": category.not_serious,
                "graded": category.graded,
                "grade_3_or_more": category.severe,
            }
            for category in events
        ],
        **demographics_json(demographics),
        "retracted": retracted.sentence(lists["studies"]) if retracted else "",
        "groups": group_cover.sentence,
        "groups_not_asked": group_cover.not_asked,
    }


def breakdown_json(breakdown) -> dict:
    return {
        "label": breakdown.label,
        "key": breakdown.key,
        "list_may_not_be_complete": breakdown.partial,
        "verdicts": breakdown.counts,
        "improved": share_json(breakdown.improved),
    }


def chart_json(name: str, parsed: ParsedRequest, absolute: Absolute) -> dict:
    """A chart's numbers, as its file has them."""
    return chart_numbers(build_chart(parsed, name), parsed, absolute)


def forest_json(item: str, shared: bool, parsed: ParsedRequest, absolute: Absolute) -> dict:
    """The numbers of a forest plot, as its file has them, and what is pooled without each study.

    Raises KeyError for an item that is not in `summaries.forest_items`.
    """
    plot = summaries.forest_plot(parsed.question, item, parsed.vocabulary, shared=shared)
    leave_one_out = [
        {
            "study": row.slug,
            "percent": reduced.pooled and 100 * reduced.pooled.proportion,
            "interval_95_t": reduced.pooled and [100 * end for end in reduced.pooled.interval_t],
            "refused": reduced.refused,
        }
        for row, reduced in plot.without
    ]
    in_words = (
        describe_for_patients_and_groups(parsed.question, parsed.vocabulary)
        if plot.not_asked
        else None
    )
    return chart_numbers(
        replace(forest_chart(plot, parsed.collection), in_words=in_words), parsed, absolute
    ) | {
        "item": item,
        "refused": plot.refused,
        "without_each_study": leave_one_out,
    }


def chart_numbers(chart: Chart, parsed: ParsedRequest, absolute: Absolute) -> dict:
    columns, rows = chart.table.for_programs
    return answer_head(parsed, absolute, chart.in_words) | {
        "name": chart.name,
        "title": chart.title,
        "sentence": chart.sentence,
        "note": chart.note,
        "columns": columns,
        "rows": [[cell if cell != "" else None for cell in row] for row in rows],
    }


# What there is


def api_root(absolute: Absolute) -> dict:
    """The collections, and where to go on."""
    return {
        "collections": [collection_json(collection, absolute) for collection in all_collections()],
        "inhibitors": absolute("/api/v1/inhibitors/"),
        "reviews": absolute("/api/v1/reviews/"),
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
        "lists": {noun: absolute(f"{base}{noun}/") for noun in LISTED},
        **{
            name: absolute(f"{base}{name}/")
            for name in ("summary", "forest", "completeness", "rules", "filters", "flow")
        },
        "compare": absolute(f"{base}compare/?a=&b="),
        "charts": {name: absolute(f"{base}charts/{name}/") for name in CHARTS},
        "phenopackets": absolute(f"/{collection.slug}/phenopackets.json"),
        "bundle": absolute(f"/{collection.slug}/bundle.zip"),
        "bundle_sqlite": absolute(f"/{collection.slug}/bundle.sqlite"),
        "bundle_parquet": absolute(f"/{collection.slug}/bundle.parquet.zip"),
    }


def filters_json(collection: Collection, vocabulary: Vocabulary) -> dict:
    """Every word a question can be asked in, with its values."""
    return {
        "collection": collection.slug,
        "evidence_kind": evidence_kind(collection),
        "filters": [filter_json(name, vocabulary) for name in FILTERS],
    }


def filter_json(name: str, vocabulary: Vocabulary) -> dict:
    url_filter = FILTERS[name]
    options = {} if isinstance(url_filter, Bound | Search) else url_filter.options(vocabulary)
    return {
        "name": name,
        "label": url_filter.label,
        "match": list(Match.values) if name in SETS else [],
        "values": [{"value": value, "label": label} for value, label in options.items()],
        "minimum": url_filter.extra.get("min_value"),
        "maximum": url_filter.extra.get("max_value"),
    }


def releases_json(absolute: Absolute) -> dict:
    """All releases, the latest first."""
    return {
        "releases": [
            {
                "release": release.number,
                "identifier": release.identifier,
                "archives_removed": release.pruned_because or None,
                "released_at": release.released_at.isoformat(),
                "data_version": release.data_version,
                "content_hash": release.content_hash,
                "notes": release.notes,
                "differences": absolute(f"/api/v1/releases/{release.number}/changes/"),
                "collections": [
                    {
                        "collection": released.slug,
                        "evidence_kind": evidence_kind(released),
                        "rows": dict(released.rows),
                        "changes": dict(released.changes),
                        "content_hash": released.content_hash,
                        "archive": absolute(f"/releases/{release.number}/{released.slug}.zip"),
                        "sha256": released.sha256,
                        "bytes": released.size,
                    }
                    for released in release.collections.all()
                ],
            }
            for release in Release.objects.prefetch_related("collections")
        ]
    }


def differences_json(
    asked: AskedDifferences, page: int, size: int, query_params: QueryDict, absolute: Absolute
) -> dict:
    """One page of what differs between two releases."""
    found, start = asked.differences, (page - 1) * size
    kinds = {released.slug: evidence_kind(released) for released in asked.collections}

    def page_url(number: int) -> str:
        pairs = [(name, value) for name, value in query_params.items() if name != "page"]
        if number > 1:
            pairs.append(("page", str(number)))
        path = f"/api/v1/releases/{asked.release.number}/changes/"
        return absolute(f"{path}?{urlencode(pairs)}" if pairs else path)

    return {
        "release": asked.release.number,
        "since": asked.since and asked.since.number,
        "count": len(found),
        "next": page_url(page + 1) if start + size < len(found) else None,
        "previous": page_url(page - 1) if page > 1 else None,
        "not_compared": [f"{table}.{column}" for table, column in asked.left_out],
        "new_collections": [released.slug for released in asked.new_collections],
        "results": [
            {
                "collection": each.collection,
                "evidence_kind": kinds[each.collection],
                "table": each.table,
                "study": each.study,
                "record": dict(each.key),
                "change": each.change,
                "field": each.field,
                "before": each.before,
                "after": each.after,
            }
            for each in found[start : start + size]
        ],
    }


def dictionary_json() -> dict:
    """The data dictionary of the lists, and the codes other ontologies have for terms."""
    of_bundle = [entries for entries in bundle_entries() if entries[0].noun not in FILE_TABLES]
    return {
        "lists": [
            {"list": table.noun, "fields": list(map(field_json, columns))}
            for table, columns in [*dictionary_entries(), *of_bundle]
            if table.noun in LISTED
        ],
        "ontology_codes": ontology_code_rows(),
    }


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
