"""A site on which two people have worked: what the pages of their work are looked at with."""

from django.contrib.auth import get_user_model
from django.utils import timezone

from evidence.curation.appraising import Answer, digest_of_answers, save_consensus, save_own
from evidence.curation.checking import groups_to_check, say_of_cell
from evidence.curation.drafts import Author, open_draft, publish, save_draft
from evidence.curation.second_entry import finish_entry, keep_entry
from evidence.curation.signing import sign
from evidence.models import Collection, Meaning, Patient, Study, Suggestion
from evidence.models.appraisal import TOOLS
from evidence.models.choices import AppraisalTool

from .test_curating import PASSWORD

STUDY = "muster-2027"
TOTALS = (
    {"quantity": "patients", "statistic": "count", "value": "3"},
    {"quantity": "age", "statistic": "mean", "value": "54.0", "spread": "SD 7"},
    {"quantity": "improved", "statistic": "count", "value": "3", "of_n": 3, "note": "In the text."},
    {"quantity": "baseline", "statistic": "mean", "value": "22", "measure": ["mrss"]},
)
ENTERED_AGAIN = {
    "indications": "ILD; skin",
    "response": "improved",
    "adverse_events": "none",
    "stopped": "no",
}


def record(model: str, **fields) -> dict:
    return {"model": f"evidence.{model}", "fields": fields}


def document(slug: str) -> list[dict]:
    """Three patients, one course and one outcome each; totals that agree and that differ."""
    key = ["published", slug]
    records = [
        record(
            "study",
            collection=["published"],
            slug=slug,
            short_name=slug.replace("-", " ").capitalize(),
            design="case_series",
            extraction="in_part",
            year=2027,
        )
    ]
    for number, (sex, age, response) in enumerate(
        (("female", 54, "improved"), ("male", 47, "stable"), ("female", 61, "improved")), 1
    ):
        person = f"{slug}-{number}"
        course = [person, 1]
        records += [
            record(
                "patient",
                study=key,
                slug=person,
                label=f"Case {number}",
                sex=sex,
                age_years=age,
                subset="diffuse",
            ),
            record(
                "treatment",
                patient=[person],
                number=1,
                inhibitor=["tofacitinib"],
                response=response,
                indications=[["ild"], ["skin"]],
                adverse_events="explicitly_none",
                stopped="no",
            ),
            record(
                "outcome",
                treatment=course,
                number=1,
                domain="skin",
                measure=["mrss"],
                baseline="21",
                followup="13",
                at_months="12",
                result="improved",
            ),
            record(
                "provenance",
                study=key,
                number=number,
                patient=[person],
                field="age_years",
                locator="Table 1, p. 3",
            ),
        ]
    records += [
        record("reportedtotal", study=key, number=number, **total)
        for number, total in enumerate(TOTALS, 1)
    ]
    return records


def fill() -> None:
    """One study in work, one sent to be checked, one published and appraised; readers who suggest
    corrections; studies with a notice of each kind.
    """
    ada, bob = (
        get_user_model().objects.create_superuser(name, f"{name}@example.org", PASSWORD)
        for name in ("ada", "bob")
    )
    collection = Collection.objects.get(slug="published")

    def entered(slug: str):
        draft = open_draft(collection, slug, Author(ada))
        save_draft(draft, document(slug), based_on=None, author=Author(ada))
        return draft

    entered("entwurf-2027")
    to_check = entered("wartend-2027")
    sign(to_check, Meaning.SUBMITTED, based_on=1, user=ada)
    draft = entered(STUDY)
    sign(draft, Meaning.SUBMITTED, based_on=1, user=ada)
    rows = {f"{STUDY}-{number} / 1": dict(ENTERED_AGAIN) for number in (1, 2, 3)}
    keep_entry(draft, rows, bob)
    finish_entry(draft, bob)
    names = [cell.name for group in groups_to_check(draft) for cell in group.cells]
    say_of_cell(draft, names[0], number=1, agrees=True, remark="", user=bob)
    say_of_cell(draft, names[1], number=1, agrees=False, remark="Table 1 says 2026", user=bob)
    publish(draft, based_on=1, author=Author(ada))
    changed = document(STUDY)
    changed[1]["fields"]["age_years"] = 55
    save_draft(draft, changed, based_on=draft.head.number, author=Author(ada))
    appraise(Study.objects.get(slug=STUDY))
    for study, status in zip(
        Study.objects.filter(collection=collection, state="published")
        .exclude(slug=STUDY)
        .order_by("slug"),
        ("corrected", "concern", "retracted"),
        strict=False,
    ):
        study.retraction_status = status
        study.retraction_date, study.retraction_notice = "2026-03-09", "10.1000/notice"
        study.retraction_reason = "Results are not reliable"
        study.full_clean()
        study.save()
    suggest(collection)


def appraise(study: Study) -> None:
    """Two persons who differ in one question, and what they agreed on."""
    tool = AppraisalTool.MURAD_2018
    for name, answer in (("ada", "yes"), ("bob", "unclear")):
        answers = {item: Answer("yes") for item in TOOLS[tool].items}
        answers[2] = Answer(answer, "Table 2 gives the doses of some patients alone.")
        save_own(study, tool, name, answers)
    save_consensus(study, tool, "ada", answers, based_on=digest_of_answers({}))


def suggest(collection: Collection) -> None:
    person = Patient.objects.get(slug=f"{STUDY}-1")
    for proposed in ("50", "a value that takes many words, as readers write them"):
        Suggestion.objects.create(
            collection=collection,
            study=STUDY,
            record="evidence.patient",
            key=list(person.natural_key()),
            field="age_years",
            label=f"{person.slug}, the patient: Age",
            current="54",
            proposed=proposed,
            passage="“The first patient, a woman aged 50 at onset”, table 2, p. 4.",
            contact="reader@example.org",
            at=timezone.now(),
        )
