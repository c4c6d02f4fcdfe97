"""The shapes of answers that set numbers beside each other, and of drugs and reviews; see
`shapes.py`.
"""

from rest_framework import serializers as s

from ..models import ATTRIBUTES
from ..summaries.rules import LISTED as OUTCOMES_LISTED
from .shapes import (
    COLLECTION_HEAD,
    DEMOGRAPHICS,
    HEAD,
    KIND,
    AnswerShape,
    QuestionShape,
    ShareShape,
    ValueShape,
    integer_field,
    interval_field,
    make_component,
    number_field,
    text_field,
)

SideShape = make_component("Side", question=QuestionShape(), answer=AnswerShape(), **DEMOGRAPHICS)
DifferenceShape = make_component(
    "ShareDifference",
    points=number_field("A minus B, in percentage points."),
    interval_95=interval_field("Newcombe's 95 % interval, in percentage points.", null=False),
)
OddsRatioShape = make_component(
    "OddsRatio",
    value=number_field("Null: infinite, no data bound it.", allow_null=True),
    low=number_field(),
    high=number_field("Null: infinite.", allow_null=True),
)
ComparedRow = make_component(
    "ComparedShares",
    heading=text_field("What the row stands under."),
    label=text_field(),
    key=text_field(allow_blank=True),
    a=ShareShape(),
    b=ShareShape(),
    difference=DifferenceShape(
        allow_null=True, help_text="Null where it would mislead; `why` says so."
    ),
    odds_ratio=OddsRatioShape(allow_null=True),
    p=number_field(
        "The central exact p; null where few are known, and of simulated records.",
        allow_null=True,
    ),
    why=text_field("Why something is not given.", allow_blank=True),
)
Compare = make_component(
    "Compare",
    **COLLECTION_HEAD,
    a=SideShape(),
    b=SideShape(),
    in_both=integer_field("Patients who are in both."),
    overlap=text_field("The same in words."),
    tested=s.BooleanField(help_text="Whether p-values are given; never of simulated records."),
    p_values=integer_field("How many p-values are given; none is corrected for the others."),
    odds_ratio_method=text_field(),
    p_method=text_field(),
    improved_by_domain_rule=text_field("Which outcome of a patient counts, in a sentence."),
    rows=ComparedRow(many=True),
)
KnownCell = make_component(
    "KnownCell",
    known=integer_field("Patients of whom it is known in every course that answers."),
    patients=integer_field("Of how many."),
    not_known_page=s.URLField(
        allow_null=True, help_text="Those of whom it is not known; null where there are none."
    ),
)
KnownCells = make_component("KnownCells", **{name: KnownCell() for name in ATTRIBUTES})
StudyLineShape = make_component(
    "StudyCompleteness",
    study=text_field(),
    study_name=text_field(),
    patients=integer_field(),
    missing_means=text_field("Why what is not known of its patients is not known."),
    known=KnownCells(),
)
AttributeShape = make_component("Attribute", name=text_field(), label=text_field())
Completeness = make_component(
    "Completeness",
    **HEAD,
    attributes=AttributeShape(many=True),
    overall=KnownCells(),
    studies=StudyLineShape(many=True, help_text="Those with most patients first."),
    studies_left_out=integer_field("Studies that are counted in `overall` only."),
)
RuleShape = make_component(
    "Rule",
    code=text_field(),
    version=integer_field(),
    label=text_field(),
    measure=text_field("What it reads."),
    tells=text_field("Response or progression."),
    explanation=text_field(),
    agreement=text_field("Which verdicts of authors disagree with none of its own."),
    source=text_field(),
)
JudgedShape = make_component(
    "JudgedOutcome",
    patient=text_field(),
    treatment=integer_field(),
    inhibitor=text_field(),
    month=number_field(allow_null=True),
    baseline=number_field(allow_null=True),
    followup=number_field(allow_null=True),
    result=text_field("The authors' result of this outcome."),
    response=text_field("The authors' overall response of the course."),
    derived=text_field("What the rule says."),
    why_not=text_field("Why it says nothing.", allow_blank=True),
    discordant=s.BooleanField(help_text="Whether authors and rule say different things."),
    empty_means=text_field(),
)
Rules = make_component(
    "Rules",
    **HEAD,
    rule=RuleShape(),
    rules=ValueShape(many=True, help_text="All rules that can be asked for."),
    outcomes=integer_field("Outcomes by its measure; none is dropped."),
    evaluable=integer_field("Of these, that it can judge."),
    discordant=integer_field("Of these, where authors and rule say different things."),
    treatments=integer_field("Courses that answer the question."),
    treatments_with_measure=integer_field("Of these, with an outcome by its measure."),
    derived=s.DictField(child=s.IntegerField(), help_text="Outcomes by the rule's verdict."),
    table=s.DictField(
        child=s.DictField(child=s.IntegerField()),
        help_text="Outcomes by the authors' result, then by the rule's verdict.",
    ),
    results=JudgedShape(
        many=True,
        help_text=f"Single outcomes, up to {OUTCOMES_LISTED}: those where the two disagree first.",
    ),
    results_left_out=integer_field(),
)

# Drugs

DrugCountShape = make_component(
    "InhibitorCounts",
    collection=text_field(),
    evidence_kind=text_field(KIND),
    patients=integer_field("Individually reported patients."),
    treatments=integer_field(),
    groups=integer_field("Groups reported in aggregate; some may be of the same people."),
    people_in_groups=integer_field(),
    registered_trials=integer_field(),
)
DRUG = {
    "inhibitor": text_field("The drug's slug."),
    "name": text_field(),
    "brand": text_field(allow_blank=True),
    "synonyms": s.ListField(child=s.CharField()),
    "manufacturer": text_field(allow_blank=True),
    "atc": text_field("ATC code; empty: not set.", allow_blank=True),
    "targets": s.ListField(child=s.CharField(), help_text="Kinases."),
    "fda_first_approval": integer_field("Year; null: none known.", allow_null=True),
    "ema_first_approval": integer_field("Year; null: none known.", allow_null=True),
    "fda_boxed_warning": s.BooleanField(allow_null=True, help_text="Null: not known."),
    "boxed_warning_topics": text_field(allow_blank=True),
    "page": s.URLField(),
    "collections": DrugCountShape(many=True, help_text="Never added up across collections."),
}
InhibitorShape = make_component("Inhibitor", **DRUG)
Inhibitors = make_component("Inhibitors", inhibitors=InhibitorShape(many=True))
ResultShape = make_component(
    "PrintedResult",
    measure=text_field(),
    text=text_field("The numbers, as the source prints them."),
    note=text_field(allow_blank=True),
)
EvidenceRowShape = make_component(
    "GroupAtATime",
    study=text_field(),
    group=text_field(),
    group_name=text_field(),
    inhibitor=text_field("Null of a comparator, and of several drugs.", allow_null=True),
    is_comparator=s.BooleanField(),
    n=integer_field(allow_null=True),
    weeks=number_field("Null: the source gives no week.", allow_null=True),
    results=ResultShape(many=True),
    adverse_events=ResultShape(many=True),
    undated=ResultShape(many=True, help_text="What the source gives without a week."),
    note=text_field(allow_blank=True),
)
DrugResultsShape = make_component(
    "InhibitorResults",
    collection=text_field(),
    evidence_kind=text_field(KIND),
    query=text_field("The question that finds these patients."),
    page=s.URLField(),
    headlines=ShareShape(many=True),
    improved_by_domain=ShareShape(many=True),
    improved_by_domain_rule=text_field(),
    groups=EvidenceRowShape(many=True, help_text="Never pooled, never added to patients."),
)
StudyPlace = make_component("StudyOfACollection", collection=text_field(), study=text_field())
InhibitorResultsShape = make_component(
    "InhibitorWithResults",
    **DRUG,
    results=DrugResultsShape(many=True),
    trials=StudyPlace(many=True, help_text="Registered trials of the drug."),
)

# Reviews

REVIEW = {
    "review": text_field("The review's slug."),
    "name": text_field(),
    "title": text_field(allow_blank=True),
    "authors": text_field(allow_blank=True),
    "journal": text_field(allow_blank=True),
    "year": integer_field(allow_null=True),
    "doi": text_field(allow_blank=True),
    "pmid": text_field(allow_blank=True),
    "articles": integer_field("As it prints; null: not extracted.", allow_null=True),
    "patients": integer_field("As it prints; null: not extracted.", allow_null=True),
    "page": s.URLField(),
}
ReviewEntry = make_component(
    "ReviewEntry", **REVIEW, figures=integer_field("Figures of it that are recorded.")
)
Reviews = make_component("Reviews", reviews=ReviewEntry(many=True))
FigureShape = make_component(
    "PrintedFigure",
    figure=text_field("Its code."),
    label=text_field(),
    unit=text_field(),
    printed=text_field("As the review prints it."),
    value=number_field(allow_null=True),
    decimals=integer_field("Digits printed after the point."),
    spread=number_field("Standard deviation.", allow_null=True),
    count=integer_field(allow_null=True),
    n=integer_field("The denominator, where the text states it.", allow_null=True),
    missing=integer_field(allow_null=True),
    denominators_possible=s.ListField(
        child=s.IntegerField(), help_text="With each of these it would be printed so."
    ),
    recomputed=text_field(
        "From the loaded records, rounded as printed; empty where they do not give it.",
        allow_blank=True,
    ),
    recomputed_value=number_field("The same, not rounded.", allow_null=True),
    recomputed_from=text_field("Its counts.", allow_blank=True),
    share=ShareShape(allow_null=True),
    verdict=text_field("Whether the two agree, differ, or cannot be compared."),
    difference=text_field("Recomputed minus printed.", allow_blank=True),
    contradicts=text_field(
        "The figure of the same review it cannot be true together with.", allow_null=True
    ),
    note=text_field(allow_blank=True),
)
SourceShape = make_component(
    "Reconstruction", collection=text_field(), evidence_kind=text_field(KIND)
)
ReasonShape = make_component("FlowReason", reason=text_field(), number=text_field())
BoxShape = make_component(
    "FlowBox",
    stage=text_field(),
    label=text_field(),
    studies=integer_field("Null: not known; `text` says why.", allow_null=True),
    patients=integer_field(allow_null=True),
    text=text_field(),
    reasons=ReasonShape(many=True),
    notes=s.ListField(child=s.CharField()),
    counted_here=s.BooleanField(help_text="Counted from the records, not reported."),
)
InclusionShape = make_component(
    "IncludedStudy",
    collection=text_field(),
    study=text_field(),
    included=text_field("yes, no, or unknown."),
)
ReviewShape = make_component(
    "Review",
    **REVIEW,
    notes=text_field(allow_blank=True),
    recomputed_from=SourceShape(
        allow_null=True, help_text="The collection that the figures are recomputed from."
    ),
    figures=FigureShape(many=True),
    flow=BoxShape(many=True),
    studies=InclusionShape(many=True, help_text="Loaded studies, and whether it includes them."),
)
FlowShape = make_component("StudyFlow", **COLLECTION_HEAD, flow=BoxShape(many=True))
