"""The shapes of answers, for the schema alone: `answers.py` makes them, the tests hold the two together."""

from rest_framework import serializers as s

from ..summaries.forest import LEFT_OUT
from ..tables import TABLES, Column, Table


def shape(name: str, /, **fields: s.Field) -> type[s.Serializer]:
    """A component of the schema."""
    return type(name, (s.Serializer,), fields)


def text(meaning: str = "", **more) -> s.CharField:
    return s.CharField(help_text=meaning, **more)


def whole(meaning: str = "", **more) -> s.IntegerField:
    return s.IntegerField(help_text=meaning, **more)


def real(meaning: str = "", **more) -> s.FloatField:
    return s.FloatField(help_text=meaning, **more)


EMPTY_MEANS = "What null means in this row: “not reported” (the paper was read in full and does not say) or “not "
EMPTY_MEANS += "extracted” (only an abstract, a registration or a citation was read). Never “none”."
KIND = "“published”, or the caveat of a simulated collection."

ReleaseShape = shape(
    "Release",
    release=whole("Number of the latest release that holds the collection; null before the first.", allow_null=True),
    changed_since=s.BooleanField(help_text="Whether the data have been edited since that release."),
    released_at=s.DateTimeField(required=False),
    content_hash=text("SHA-256 over all tables of the release.", required=False),
    data_version=whole("Rises with every change of the collection."),
)
QuestionShape = shape(
    "Question",
    words=text("The question in words."),
    query=text("The question as a query string, always in the same spelling.", allow_blank=True),
    page=s.URLField(help_text="The page that shows the same."),
)
HEAD = {
    "collection": text("The collection's slug."),
    "evidence_kind": text(KIND),
    "release": ReleaseShape(),
    "question": QuestionShape(),
}
SHARE = {
    "label": text(),
    "key": text("The code the label stands for, if any.", allow_blank=True),
    "count": whole("How many."),
    "known": whole("Of how many in whom it is known."),
    "not_reported": whole("Not known, because the paper was read in full and does not say."),
    "not_extracted": whole("Not known, because only an abstract, a registration or a citation was read."),
    "unit": text("What is counted: patients, treatments, events."),
    "percent": real("100 × count / known; null where nobody is known.", allow_null=True),
    "interval_95": s.ListField(
        child=s.FloatField(),
        min_length=2,
        max_length=2,
        allow_null=True,
        help_text="Wilson's 95 % confidence interval in percent; null where nobody is known.",
    ),
    "text": text("The share in words, as pages print it."),
}
ShareShape = shape("Share", **SHARE)
EventShare = shape(
    "AdverseEventShare",
    **SHARE,
    events=whole("How many events; a patient may have several."),
    serious=whole("Events said to be serious."),
    not_serious=whole("Events said not to be serious."),
    graded=whole("Events with a CTCAE grade."),
    grade_3_or_more=whole("Of these, of grade 3 or more."),
)
BreakdownShape = shape(
    "Breakdown",
    label=text(),
    key=text(allow_blank=True),
    list_may_not_be_complete=s.BooleanField(help_text="Whether there may be more than the label names."),
    verdicts=s.DictField(child=s.IntegerField(), help_text="Treatments by the authors' overall verdict."),
    improved=ShareShape(),
)
AnswerShape = shape(
    "Answer",
    matching=whole("Patients whom the question answers with yes, by one of their treatments."),
    open=whole("Patients of whom it is open; of all others the answer is no."),
    open_not_reported=whole("Of these, because the paper was read in full and does not say."),
    open_not_extracted=whole("Of these, because only an abstract, a registration or a citation was read."),
)
AtLeast = shape(
    "AtLeast",
    label=text(),
    key=text("The codes, joined by +."),
    patients=whole("Patients who have at least these, of a list that may not be complete."),
)
Age = shape(
    "Age",
    known=ShareShape(),
    median=real("Years.", allow_null=True),
    youngest=whole("Years.", allow_null=True),
    oldest=whole("Years.", allow_null=True),
)
Totals = shape("Totals", patients=whole(), treatments=whole(), studies=whole(), outcomes=whole(), events=whole())
Summary = shape(
    "Summary",
    **HEAD,
    sentence=text("The answer in one sentence."),
    answer=AnswerShape(),
    totals=Totals(),
    headlines=ShareShape(many=True),
    improved_by_domain=ShareShape(many=True),
    indication_sets=ShareShape(
        many=True, help_text="Exactly these, of patients whose list of indications is complete."
    ),
    indication_sets_at_least=AtLeast(many=True),
    response_by_inhibitor=BreakdownShape(many=True),
    response_by_indication_set=BreakdownShape(many=True),
    adverse_events=EventShare(many=True),
    age=Age(),
    sex=s.DictField(child=s.IntegerField()),
    groups=text("What groups answer the question, in words; their patients are not among these.", allow_blank=True),
)
CHART = {
    "name": text(),
    "title": text(),
    "sentence": text("What the chart shows, in words."),
    "note": text(allow_blank=True),
    "columns": s.ListField(child=s.CharField()),
    "rows": s.ListField(child=s.ListField(child=s.JSONField()), help_text="Cells in the order of the columns."),
}
ChartShape = shape("Chart", **HEAD, **CHART)
WithoutStudyShape = shape(
    "WithoutStudy",
    study=text("The slug of the study that is left out."),
    percent=real("The pooled proportion without it, in percent; null if refused.", allow_null=True),
    interval_95_t=s.ListField(
        child=s.FloatField(),
        min_length=2,
        max_length=2,
        allow_null=True,
        help_text="Its 95 % confidence interval by Student's t, in percent.",
    ),
    refused=text("Why the others cannot be pooled.", allow_blank=True),
)
ForestShape = shape(
    "Forest",
    **HEAD,
    **CHART,
    item=text("What is counted."),
    refused=text("Why nothing is pooled.", allow_blank=True),
    without_each_study=WithoutStudyShape(
        many=True,
        help_text="What is pooled without each study in turn; empty where nothing is pooled, and "
        f"of more than {LEFT_OUT} studies.",
    ),
)
CollectionShape = shape(
    "Collection",
    collection=text("The collection's slug."),
    name=text(),
    evidence_kind=text(KIND),
    description=text(),
    release=ReleaseShape(),
    lists=s.DictField(child=s.URLField()),
    summary=s.URLField(),
    forest=s.URLField(),
    filters=s.URLField(),
    charts=s.DictField(child=s.URLField()),
    phenopackets=s.URLField(),
    bundle=s.URLField(),
)
Start = shape(
    "Start",
    collections=CollectionShape(many=True),
    releases=s.URLField(),
    dictionary=s.URLField(),
    schema=s.URLField(),
    documentation=s.URLField(),
)
ValueShape = shape("Value", value=text(), label=text())
FilterShape = shape(
    "Filter",
    name=text("The word in an address."),
    label=text(),
    match=s.ListField(child=s.CharField(), help_text="Values of the match word, <name>_match; empty if it has none."),
    values=ValueShape(many=True, help_text="Values it takes; empty for numbers and search words."),
    minimum=whole(allow_null=True),
    maximum=whole(allow_null=True),
)
Filters = shape("Filters", collection=text(), evidence_kind=text(KIND), filters=FilterShape(many=True))
ArchiveShape = shape(
    "ReleasedCollection",
    collection=text(),
    evidence_kind=text(KIND),
    rows=s.DictField(child=s.IntegerField(), help_text="Rows of each table."),
    changes=s.DictField(
        child=s.DictField(child=s.IntegerField()), help_text="Rows added, changed and removed since the one before."
    ),
    content_hash=text(),
    archive=s.URLField(help_text="The ZIP of all its tables, as it was."),
    sha256=text("Of the ZIP."),
    bytes=whole(),
)
ReleaseEntry = shape(
    "ReleaseEntry",
    release=whole(),
    released_at=s.DateTimeField(),
    data_version=whole(),
    content_hash=text(),
    notes=text(allow_blank=True),
    collections=ArchiveShape(many=True),
)
Releases = shape("Releases", releases=ReleaseEntry(many=True))
FieldShape = shape(
    "Field",
    field=text(),
    label=text(),
    meaning=text(),
    type=text(),
    unit=text(allow_blank=True),
    values=ValueShape(many=True),
    codes=text(allow_blank=True),
    missing=text(),
    source=text(),
)
Fields = shape("Fields", list=text(), fields=FieldShape(many=True))
Dictionary = shape("Dictionary", lists=Fields(many=True))
Fault = shape("Fault", parameter=text("The parameter that is wrong.", required=False), detail=text())
ProblemShape = shape(
    "Problem",
    type=text("Always about:blank: the status says what kind of problem it is."),
    title=text(),
    status=whole(),
    detail=text("What is wrong, in a sentence."),
    errors=Fault(many=True, required=False),
)


def field(column: Column) -> s.Field:
    """A column as a field of a row; everything can be null, and nothing is there that was not asked for."""
    told = f"{column.label}. {column.meaning}" + (f" In {column.unit}." if column.unit else "")
    more = {"help_text": told, "allow_null": True, "required": False}
    if column.numeric:
        return s.IntegerField(**more) if column.whole else s.FloatField(**more)
    if column.lookup:
        return s.ListField(child=s.CharField(allow_null=True), **more)
    return s.CharField(**more)


def row(table: Table) -> type[s.Serializer]:
    name = "".join(word.capitalize() for word in table.noun.split("-")) + "Row"
    fields = {column.name: field(column) for column in table.file_columns}
    return shape(name, **fields, empty_means=text(EMPTY_MEANS), evidence_kind=text(KIND))


def page(table: Table) -> type[s.Serializer]:
    name = "".join(word.capitalize() for word in table.noun.split("-")) + "Page"
    return shape(
        name,
        **HEAD,
        count=whole("Rows of the whole list."),
        next=s.URLField(allow_null=True, help_text="The next page; null on the last."),
        previous=s.URLField(allow_null=True),
        results=row(table)(many=True),
    )


PAGES = {noun: page(table) for noun, table in TABLES.items()}
