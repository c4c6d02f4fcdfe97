"""The shapes of answers, for the schema alone: `answers.py` makes them, the tests hold the two
together.
"""

from rest_framework import serializers as s

from ..downloads.differences import CHANGES
from ..summaries.forest import LEFT_OUT
from ..tables import Column, Table
from ..tables.ontology_codes import COLUMNS
from .answers import LISTED


def make_component(name: str, /, **fields: s.Field) -> type[s.Serializer]:
    """A component of the schema."""
    return type(name, (s.Serializer,), fields)


def text_field(meaning: str = "", **options) -> s.CharField:
    return s.CharField(help_text=meaning, **options)


def integer_field(meaning: str = "", **options) -> s.IntegerField:
    return s.IntegerField(help_text=meaning, **options)


def number_field(meaning: str = "", **options) -> s.FloatField:
    return s.FloatField(help_text=meaning, **options)


def interval_field(meaning: str, *, null: bool = True) -> s.ListField:
    """The two ends of an interval."""
    options = {"allow_null": True} if null else {}
    return s.ListField(
        child=s.FloatField(), min_length=2, max_length=2, help_text=meaning, **options
    )


EMPTY_MEANS = (
    "What null means in this row: “not reported” (the paper was read in full and does not say) "
    "or “not "
)
EMPTY_MEANS += (
    "extracted” (only a part of the paper, an abstract, a registration or a citation was read). "
    "Never “none”."
)
KIND = "“published”, or the caveat of a simulated collection."

ReleaseShape = make_component(
    "Release",
    release=integer_field(
        "Number of the latest release that holds the collection; null before the first.",
        allow_null=True,
    ),
    changed_since=s.BooleanField(help_text="Whether the data have been edited since that release."),
    released_at=s.DateTimeField(required=False),
    content_hash=text_field("SHA-256 over all tables of the release.", required=False),
    data_version=integer_field(
        "Rises with every change of the collection. Left out where a release itself answers "
        "(`release=`): it counts the edits of one database.",
        required=False,
    ),
)
QuestionShape = make_component(
    "Question",
    words=text_field("The question in words, as it was asked of what is answered."),
    not_asked=s.ListField(
        child=s.CharField(),
        help_text="Its parts that were not asked of groups, in words: a group has no one sex or "
        "age. Empty where every part was asked.",
    ),
    query=text_field(
        "The question as a query string, always in the same spelling.", allow_blank=True
    ),
    page=s.URLField(help_text="The page that shows the same."),
)
COLLECTION_HEAD = {
    "collection": text_field("The collection's slug."),
    "evidence_kind": text_field(KIND),
    "release": ReleaseShape(),
}
HEAD = COLLECTION_HEAD | {"question": QuestionShape()}
SHARE = {
    "label": text_field(),
    "key": text_field("The code the label stands for, if any.", allow_blank=True),
    "count": integer_field("How many."),
    "known": integer_field("Of how many in whom it is known."),
    "not_reported": integer_field(
        "Not known, because the paper was read in full and does not say."
    ),
    "not_extracted": integer_field(
        "Not known, because only a part of the paper, an abstract, a registration or a citation "
        "was read."
    ),
    "unit": text_field("What is counted: patients, treatments, events."),
    "percent": number_field(
        "100 × count / known; null where nobody is known, and where it is asked for.",
        allow_null=True,
    ),
    "interval_95": interval_field(
        "Wilson's 95 % confidence interval in percent; null where there is no percentage."
    ),
    "asked_for": s.BooleanField(
        help_text="Whether the question itself decides the share, or selects patients by what it "
        "counts, so that it is no rate; `text` says which."
    ),
    "text": text_field("The share in words, as pages print it."),
}
ShareShape = make_component("Share", **SHARE)
EventShare = make_component(
    "AdverseEventShare",
    **SHARE,
    events=integer_field("How many events; a patient may have several."),
    serious=integer_field("Events said to be serious."),
    not_serious=integer_field("Events said not to be serious."),
    graded=integer_field("Events with a CTCAE grade."),
    grade_3_or_more=integer_field("Of these, of grade 3 or more."),
)
BreakdownShape = make_component(
    "Breakdown",
    label=text_field(),
    key=text_field(allow_blank=True),
    list_may_not_be_complete=s.BooleanField(
        help_text="Whether there may be more than the label names."
    ),
    verdicts=s.DictField(
        child=s.IntegerField(), help_text="Treatments by the authors' overall verdict."
    ),
    improved=ShareShape(),
)
AnswerShape = make_component(
    "Answer",
    matching=integer_field(
        "Patients whom the question answers with yes, by one of their treatments."
    ),
    open=integer_field("Patients of whom it is open; of all others the answer is no."),
    open_not_reported=integer_field(
        "Of these, because the paper was read in full and does not say."
    ),
    open_not_extracted=integer_field(
        "Of these, because only a part of the paper, an abstract, a registration or a citation "
        "was read."
    ),
)
AtLeast = make_component(
    "AtLeast",
    label=text_field(),
    key=text_field("The codes, joined by +."),
    patients=integer_field("Patients who have at least these, of a list that may not be complete."),
)
Age = make_component(
    "Age",
    known=ShareShape(),
    median=number_field("Years.", allow_null=True),
    youngest=integer_field("Years.", allow_null=True),
    oldest=integer_field("Years.", allow_null=True),
)
DEMOGRAPHICS = {"age": Age(), "sex": s.DictField(child=s.IntegerField())}
Totals = make_component(
    "Totals",
    patients=integer_field(),
    treatments=integer_field(),
    studies=integer_field(),
    outcomes=integer_field(),
    events=integer_field(),
)
Summary = make_component(
    "Summary",
    **HEAD,
    sentence=text_field("The answer in one sentence."),
    answer=AnswerShape(),
    totals=Totals(),
    headlines=ShareShape(many=True),
    improved_by_domain=ShareShape(
        many=True, help_text="One outcome of each patient in each domain."
    ),
    improved_by_domain_rule=text_field("Which outcome of a patient counts, in a sentence."),
    indication_sets=ShareShape(
        many=True, help_text="Exactly these, of patients whose list of indications is complete."
    ),
    indication_sets_at_least=AtLeast(many=True),
    response_by_inhibitor=BreakdownShape(many=True),
    response_by_indication_set=BreakdownShape(many=True),
    adverse_events=EventShare(many=True),
    **DEMOGRAPHICS,
    retracted=text_field(
        "How many studies of the question were retracted, in a sentence; they are counted here.",
        allow_blank=True,
    ),
    groups=text_field(
        "What groups answer the question, or may hold patients who do, in words; their patients "
        "are not among these.",
        allow_blank=True,
    ),
    groups_not_asked=s.ListField(
        child=s.CharField(),
        help_text="Parts of the question that were not asked of these groups, in words.",
    ),
)
CHART = {
    "name": text_field(),
    "title": text_field(),
    "sentence": text_field("What the chart shows, in words."),
    "note": text_field(allow_blank=True),
    "columns": s.ListField(child=s.CharField()),
    "rows": s.ListField(
        child=s.ListField(child=s.JSONField()), help_text="Cells in the order of the columns."
    ),
}
ChartShape = make_component("Chart", **HEAD, **CHART)
WithoutStudyShape = make_component(
    "WithoutStudy",
    study=text_field("The slug of the study that is left out."),
    percent=number_field(
        "The pooled proportion without it, in percent; null if refused.", allow_null=True
    ),
    interval_95_t=interval_field("Its 95 % confidence interval by Student's t, in percent."),
    refused=text_field("Why the others cannot be pooled.", allow_blank=True),
)
ForestShape = make_component(
    "Forest",
    **HEAD,
    **CHART,
    item=text_field("What is counted."),
    refused=text_field("Why nothing is pooled.", allow_blank=True),
    without_each_study=WithoutStudyShape(
        many=True,
        help_text="What is pooled without each study in turn; empty where nothing is pooled, and "
        f"of more than {LEFT_OUT} studies.",
    ),
)
CollectionShape = make_component(
    "Collection",
    collection=text_field("The collection's slug."),
    name=text_field(),
    evidence_kind=text_field(KIND),
    description=text_field(),
    release=ReleaseShape(),
    lists=s.DictField(child=s.URLField()),
    summary=s.URLField(),
    forest=s.URLField(),
    completeness=s.URLField(),
    rules=s.URLField(),
    filters=s.URLField(),
    flow=s.URLField(),
    compare=s.URLField(help_text="With both questions left open."),
    charts=s.DictField(child=s.URLField()),
    phenopackets=s.URLField(),
    bundle=s.URLField(),
    bundle_sqlite=s.URLField(),
    bundle_parquet=s.URLField(),
)
Start = make_component(
    "Start",
    collections=CollectionShape(many=True),
    inhibitors=s.URLField(),
    reviews=s.URLField(),
    releases=s.URLField(),
    dictionary=s.URLField(),
    schema=s.URLField(),
    documentation=s.URLField(),
)
ValueShape = make_component("Value", value=text_field(), label=text_field())
FilterShape = make_component(
    "Filter",
    name=text_field("The word in an address."),
    label=text_field(),
    match=s.ListField(
        child=s.CharField(),
        help_text="Values of the match word, <name>_match; empty if it has none.",
    ),
    values=ValueShape(many=True, help_text="Values it takes; empty for numbers and search words."),
    minimum=integer_field(allow_null=True),
    maximum=integer_field(allow_null=True),
)
Filters = make_component(
    "Filters",
    collection=text_field(),
    evidence_kind=text_field(KIND),
    filters=FilterShape(many=True),
)
ArchiveShape = make_component(
    "ReleasedCollection",
    collection=text_field(),
    evidence_kind=text_field(KIND),
    rows=s.DictField(child=s.IntegerField(), help_text="Rows of each table."),
    changes=s.DictField(
        child=s.DictField(child=s.IntegerField()),
        help_text="Rows added, changed and removed since the one before.",
    ),
    content_hash=text_field(),
    archive=s.URLField(help_text="The ZIP of all its tables, as it was."),
    sha256=text_field("Of the ZIP."),
    bytes=integer_field(),
)
ReleaseEntry = make_component(
    "ReleaseEntry",
    release=integer_field(),
    identifier=text_field(
        "Names the release wherever it is; empty of those made before there were any.",
        allow_blank=True,
    ),
    archives_removed=text_field(
        "Why its archives are not kept any more; null while they are.", allow_null=True
    ),
    released_at=s.DateTimeField(),
    data_version=integer_field(),
    content_hash=text_field(),
    notes=text_field(allow_blank=True),
    differences=s.URLField(help_text="What differs from the release before, value by value."),
    collections=ArchiveShape(many=True),
)
Releases = make_component("Releases", releases=ReleaseEntry(many=True))
DifferenceShape = make_component(
    "Difference",
    collection=text_field(),
    evidence_kind=text_field(KIND),
    table=text_field("The table of the bundle."),
    study=text_field("The study the record belongs to."),
    record=s.DictField(
        child=s.CharField(), help_text="What makes the record unique in its table, by column."
    ),
    change=s.ChoiceField(choices=CHANGES),
    field=text_field(
        "The column; empty for a record that was added or removed and is its key alone.",
        allow_blank=True,
    ),
    before=text_field(
        "As the file of the earlier release writes it; empty where it had nothing.",
        allow_blank=True,
    ),
    after=text_field("The same of the later release.", allow_blank=True),
)
Differences = make_component(
    "Differences",
    release=integer_field("The later release."),
    since=integer_field("The earlier release; null where there is none.", allow_null=True),
    count=integer_field("How many differences there are, on all pages."),
    next=s.URLField(allow_null=True),
    previous=s.URLField(allow_null=True),
    not_compared=s.ListField(
        child=s.CharField(),
        help_text="Columns that only one of the two archives has, as table.column: that is a "
        "change of Casebook, of no record.",
    ),
    new_collections=s.ListField(
        child=s.CharField(), help_text="Collections the earlier release does not hold."
    ),
    results=DifferenceShape(many=True),
)
FieldShape = make_component(
    "Field",
    field=text_field(),
    label=text_field(),
    meaning=text_field(),
    type=text_field(),
    unit=text_field(allow_blank=True),
    values=ValueShape(many=True),
    codes=text_field(allow_blank=True),
    missing=text_field(),
    source=text_field(),
)
Fields = make_component("Fields", list=text_field(), fields=FieldShape(many=True))
OntologyCodeShape = make_component(
    "OntologyCode",
    **{
        name: text_field(meaning, allow_blank=name == "note")
        for name, (_, meaning) in COLUMNS.items()
    },
)
Dictionary = make_component(
    "Dictionary",
    lists=Fields(many=True),
    ontology_codes=OntologyCodeShape(
        many=True, help_text="The codes other ontologies have for terms; only as a copy was read."
    ),
)
Fault = make_component(
    "Fault",
    parameter=text_field("The parameter that is wrong.", required=False),
    detail=text_field(),
)
ProblemShape = make_component(
    "Problem",
    type=text_field("Always about:blank: the status says what kind of problem it is."),
    title=text_field(),
    status=integer_field(),
    detail=text_field("What is wrong, in a sentence."),
    errors=Fault(many=True, required=False),
)


def column_field(column: Column) -> s.Field:
    """A column as a field of a row; everything can be null, and nothing is there that was not asked
    for.
    """
    help_text = f"{column.label}. {column.meaning}" + (f" In {column.unit}." if column.unit else "")
    options = {"help_text": help_text, "allow_null": True, "required": False}
    if column.numeric:
        return s.IntegerField(**options) if column.whole else s.FloatField(**options)
    if column.is_list:
        return s.ListField(child=s.CharField(allow_null=True), **options)
    return s.CharField(**options)


def row_fields(table: Table) -> dict[str, s.Field]:
    """The fields of a row."""
    fields = {column.name: column_field(column) for column in table.file_columns}
    return fields | {"empty_means": text_field(EMPTY_MEANS), "evidence_kind": text_field(KIND)}


def name_of(table: Table) -> str:
    return "".join(word.capitalize() for word in table.noun.split("-"))


ROWS = {
    noun: make_component(f"{name_of(table)}Row", **row_fields(table))
    for noun, table in LISTED.items()
}


def page_schema(table: Table) -> type[s.Serializer]:
    return make_component(
        f"{name_of(table)}Page",
        **HEAD,
        count=integer_field("Rows of the whole list."),
        next=s.URLField(allow_null=True, help_text="The next page; null on the last."),
        previous=s.URLField(allow_null=True),
        results=ROWS[table.noun](many=True),
    )


PAGES = {noun: page_schema(table) for noun, table in LISTED.items()}
