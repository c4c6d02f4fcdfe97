"""Vocabularies know how sources spell their terms; measures know what values they can have."""

import json
from io import StringIO

import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.urls import reverse

from evidence.curation.documents import listed_fields
from evidence.curation.fixture_files import FixtureRecord, fixture_folder
from evidence.curation.integrity import LATER_RULES, broken_rules, integrity_issues
from evidence.curation.loading import load_records
from evidence.models import (
    AdverseEventCategory,
    Autoantibody,
    GroupFinding,
    Indication,
    JAKInhibitor,
    LoadedRecord,
    Manifestation,
    Measure,
    Outcome,
    Therapy,
)
from evidence.models.choices import KnownMeasure
from evidence.models.spellings import Spelled, find_term, fold_spelling, nearest_terms
from evidence.statistics import ALL_RULES
from evidence.summaries import MEASURES

from .factories import (
    make_collection,
    make_group,
    make_measure,
    make_patient,
    make_study,
    make_treatment,
)
from .test_admin import address, filled, new_rows, visible_errors
from .test_loading import change, copied, load_again  # noqa: F401 (a fixture)
from .test_pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mRSS", "MRSS"),
        ("anti-Scl-70", "Anti Scl 70"),
        ("anti-Scl-70", "anti‑Scl–70"),  # as typeset: other hyphens
        ("digital_ulcers", "Digital ulcers"),
        ("FVC % predicted", " fvc%predicted "),
        ("authors' statement", "Authors’ statement"),
        ("Raynaud", "Ｒａｙｎａｕｄ"),
        ("Straße", "STRASSE"),
    ],
)
def test_spellings_that_are_one(one, other):
    assert fold_spelling(one) == fold_spelling(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("DLCO", "DLCO %"), ("anti-U1-RNP", "anti-U3-RNP"), ("DAS28-CRP", "DAS28-ESR"), ("Ro", "La")],
)
def test_spellings_that_are_two(one, other):
    assert fold_spelling(one) != fold_spelling(other)


# By vocabulary and code: ten spellings of each of ten terms.
SPELT = {
    (Measure, "mrss"): "mRSS|MRSS|mrss|m-RSS|Modified Rodnan skin score|modified Rodnan Skin Score|"
    "modified-Rodnan skin score|RODNAN|Rodnan skin score|modified Rodnan skin thickness score",
    (Measure, "fvc-percent-predicted"): "FVC % predicted|FVC%|FVC %|fvc (%)|FVC % pred|FVC%pred.|"
    "FVC (% predicted)|ppFVC|%FVC|percent-predicted FVC",
    (Measure, "dlco-percent-predicted"): "DLCO % predicted|DLCO%|DLco %|DLCO (%)|DLCO % pred|"
    "DLCO%pred.|DLCO (% predicted)|ppDLCO|TLCO % predicted|% DLCO",
    (Autoantibody, "anti-scl-70"): "anti-Scl-70|Anti-Scl70|anti Scl 70|Scl-70|SCL70|ATA|"
    "anti-topoisomerase I|Anti-Topoisomerase 1|antitopoisomerase I|topoisomerase I",
    (Autoantibody, "anti-centromere"): "anti-centromere|Anticentromere|ACA|aca|centromere|"
    "anti-centromere antibody|anticentromere antibodies|anti-CENP|anti-CENP-B|CENPB",
    (Autoantibody, "anti-rna-polymerase-iii"): "anti-RNA polymerase III|RNAP3|RNAP-3|RNAP III|"
    "anti-RNAP III|anti-RNAP3|RNA polymerase III|RNA polymerase 3|anti-RNA pol III|ARA",
    (JAKInhibitor, "tofacitinib"): "tofacitinib|Tofacitinib|TOFACITINIB|Xeljanz|XELJANZ|xeljanz|"
    "TOFA|tofa|CP-690,550|CP-690550",
    (JAKInhibitor, "ruxolitinib"): "ruxolitinib|Ruxolitinib|Jakafi|Jakavi|JAKAVI|RUX|rux|"
    "INCB018424|INCB-018424|incb 018424",
    (Therapy, "mycophenolate-mofetil"): "Mycophenolate mofetil|mycophenolate-mofetil|MMF|mmf|"
    "MYCOPHENOLATE MOFETIL|Mycophenolate  mofetil|mycophenolate_mofetil|mycophenolatemofetil|"
    "Mycophenolate‐Mofetil",
    (AdverseEventCategory, "herpes-zoster"): "Herpes zoster|herpes-zoster|HERPES ZOSTER|zoster|"
    "Zoster|shingles|Shingles|HZ|herpes_zoster|hz",
}


@pytest.mark.parametrize(("model", "code"), SPELT, ids=lambda each: getattr(each, "__name__", each))
def test_ten_spellings_of_ten_terms(model, code):
    words = SPELT[model, code].split("|")
    for word in words:
        found = find_term(model, word)
        assert found is not None, word
        assert found.natural_key() == (code,), word


@pytest.mark.parametrize(
    ("model", "word", "code"),
    [
        (Therapy, "MTX", "methotrexate"),
        (Therapy, "CYC", "cyclophosphamide"),
        (Therapy, "HCQ", "hydroxychloroquine"),
        (Therapy, "RTX", "rituximab"),
        (Manifestation, "ILD", "ild"),
        (Indication, "Gastrointestinal", "gi"),
        (Measure, "DLCO", "dlco"),
        (Measure, "FVC", "fvc"),
    ],
)
def test_a_word_means_one_term(model, word, code):
    assert find_term(model, word).natural_key() == (code,)


def test_a_word_that_no_term_has_means_none_and_the_nearest_are_told():
    assert find_term(Therapy, "cyclofosfamide") is None
    assert find_term(Therapy, "") is None
    assert nearest_terms(Therapy, "cyclofosfamide")[0].code == "cyclophosphamide"
    assert len(nearest_terms(Therapy, "prednis", n=2)) == 2
    assert nearest_terms(Therapy, "§§§") == []
    Therapy.objects.filter(code="cyclophosphamide").update(in_use=False)
    assert "cyclophosphamide" not in [
        term.code for term in nearest_terms(Therapy, "cyclofosfamide")
    ], "a term that is not in use is not proposed"
    assert find_term(Therapy, "CYC").code == "cyclophosphamide", "but it is understood"


def test_a_spelling_belongs_to_one_term():
    term = Autoantibody(code="ata-2", label="ATA 2", synonyms="another; a-t-a")
    with pytest.raises(ValidationError) as told:
        term.full_clean()
    assert told.value.message_dict == {
        "synonyms": ["“a-t-a” is a spelling of “anti-Scl-70” already."]
    }
    Autoantibody(code="ata-2", label="ATA 2", synonyms="another; a; another").full_clean()
    Therapy(code="ata", label="ATA").full_clean()  # another vocabulary
    with pytest.raises(ValidationError, match="“Xel-Janz” is a spelling of “tofacitinib” already"):
        JAKInhibitor(slug="new", name="new", brand="Newly / Xel-Janz").full_clean()
    for term in (Autoantibody.objects.get(code="ana"), Manifestation.objects.get(code="ild")):
        term.full_clean()  # its own spellings are no others'


def test_shipped_spellings_mean_one_term_each():
    assert broken_rules(LATER_RULES) == []
    Therapy.objects.filter(code="insulin").update(synonyms="mtx")
    assert [str(issue) for issue in broken_rules(LATER_RULES)] == [
        "evidence.therapy methotrexate: “MTX” is a spelling of “Insulin” too"
    ]


def test_rules_and_charts_read_measures_of_the_vocabulary():
    shipped = dict(Measure.objects.values_list("code", "label"))
    for measure in KnownMeasure:
        assert shipped[measure.value] == measure.label
    read = {rule.measure for rule in ALL_RULES.values()}
    read |= {label for _, labels in MEASURES.values() for label in labels}
    assert read == set(KnownMeasure.labels)


@pytest.fixture
def course(db):
    return make_treatment(make_patient(make_study(make_collection("work")), "work-1"))


def outcome(course, label="mRSS", **fields) -> Outcome:
    number, measure = course.outcomes.count() + 1, make_measure(label)
    fields.setdefault("domain", measure.domain or "skin")
    return Outcome(treatment=course, number=number, measure=measure, **fields)


@pytest.mark.parametrize(
    ("label", "fields", "told"),
    [
        ("mRSS", {"baseline": 240}, "mRSS is between 0 and 51; 240 is not."),
        ("mRSS", {"baseline": 20, "followup": "-0.5"}, "mRSS is between 0 and 51; -0.5 is not."),
        ("FVC % predicted", {"followup": 201}, "FVC % predicted is between 0 and 200; 201 is not."),
        ("HAQ-DI", {"baseline": "3.125"}, "HAQ-DI is between 0 and 3; 3.125 is not."),
        ("DLCO", {"baseline": -1}, "DLCO is at least 0; -1 is not."),
    ],
)
def test_a_value_outside_the_range_is_refused_with_the_range(course, label, fields, told):
    record = outcome(course, label, **fields)
    with pytest.raises(ValidationError) as refused:
        record.full_clean()
    (name,) = refused.value.message_dict
    assert refused.value.message_dict[name] == [told]
    with (
        pytest.raises(IntegrityError, match="outside the range of its measure"),
        transaction.atomic(),
    ):
        record.save()


@pytest.mark.parametrize(
    ("label", "fields"),
    [
        ("mRSS", {"baseline": 0, "followup": 51}),
        ("mRSS", {}),
        ("mRSS", {"baseline": None, "followup": 12}),
        ("new nodules", {"baseline": -4, "followup": 4000}),
        ("DLCO", {"baseline": 4000}),
    ],
)
def test_a_value_in_the_range_is_kept(course, label, fields):
    record = outcome(course, label, **fields)
    record.full_clean()
    record.save()
    assert Outcome.objects.filter(measure=label, treatment=course).count() == 1


@pytest.mark.parametrize(
    ("label", "fields", "told"),
    [
        ("mRSS", {"domain": "lung"}, {"domain": ["mRSS is of the domain skin."]}),
        (
            "6-minute walk distance",
            {"domain": "lung", "unit": "feet"},
            {
                "unit": [
                    "6-minute walk distance is in m. Leave the unit empty, or choose another "
                    "measure."
                ]
            },
        ),
    ],
)
def test_an_outcome_has_the_domain_and_the_unit_of_its_measure(course, label, fields, told):
    record = outcome(course, label, **fields)
    with pytest.raises(ValidationError) as refused:
        record.full_clean()
    assert refused.value.message_dict == told
    record.save()  # as from a time when the measure had neither
    (problem,) = integrity_issues()
    assert " ".join(*told.values()) in problem


def test_a_unit_may_be_spelled_and_left_out(course):
    for unit in ("M", "m", ""):
        outcome(course, "6-minute walk distance", domain="lung", unit=unit).full_clean()
    outcome(course, "new nodules", domain="global", unit="of 28").full_clean()


def test_what_is_no_number_is_said_by_its_own_field(course):
    with pytest.raises(ValidationError) as refused:
        outcome(course, baseline="many").full_clean()
    assert refused.value.message_dict == {"baseline": ["“many” value must be a decimal number."]}


def test_the_database_refuses_a_change_out_of_the_range_too(course):
    record = outcome(course, baseline=20)
    record.save()
    for change_to in ({"baseline": 52}, {"followup": -1}):
        with (
            pytest.raises(IntegrityError, match="outside the range of its measure"),
            transaction.atomic(),
        ):
            Outcome.objects.filter(pk=record.pk).update(**change_to)
    free = outcome(course, "new nodules", baseline=240)
    free.save()
    with (
        pytest.raises(IntegrityError, match="outside the range of its measure"),
        transaction.atomic(),
    ):
        Outcome.objects.filter(pk=free.pk).update(measure="mRSS")


def test_a_range_is_not_narrowed_under_values(course):
    outcome(course, "new nodules", baseline=7, followup=240).save()
    nodules = Measure.objects.get(label="new nodules")
    nodules.high = 100
    with pytest.raises(ValidationError) as told:
        nodules.full_clean()
    (message,) = told.value.message_dict["high"]
    assert message == f"A value lies outside this range: {course}: new nodules."
    with (
        pytest.raises(IntegrityError, match="outside the range of its measure"),
        transaction.atomic(),
    ):
        Measure.objects.filter(pk=nodules.pk).update(high=100)
    nodules.high = 240
    nodules.full_clean()
    nodules.save()
    Measure.objects.filter(pk=nodules.pk).update(high=300, low=7)
    group = make_group(course.patient.study)
    group.findings.create(number=1, measure="new nodules", kind="median_iqr", iqr_high=500)
    nodules.refresh_from_db()
    with pytest.raises(ValidationError, match="A value lies outside this range: study-"):
        nodules.full_clean()


def test_a_value_from_before_there_was_a_range_is_told_and_can_be_mended(course):
    outcome(course, "old words", followup=240).save()
    with connection.cursor() as cursor:  # as a migration that brings ranges would
        cursor.execute(
            "DROP TRIGGER range_keeps_outcomes"
            + (" ON evidence_measure" if connection.vendor == "postgresql" else "")
        )
    Measure.objects.filter(label="old words").update(high=51)
    group = make_group(course.patient.study)
    group.findings.create(number=1, measure="mRSS", kind="mean_sd_change", baseline=99, change=-60)
    group.findings.create(number=2, measure="mRSS", kind="median_iqr", value=20, iqr_high=60)
    group.findings.create(number=3, measure="mRSS", kind="standardised_mean_change", value=-2)
    told = [str(issue) for issue in broken_rules(LATER_RULES)]
    assert told == [
        "evidence.outcome work-1 / 1 / 1: old words is at most 51; 240 is not.",
        f"evidence.groupfinding {'work / ' + group.study.slug} / {group.slug} / 1: "
        "mRSS is between 0 and 51; 99 is not.",
        f"evidence.groupfinding {'work / ' + group.study.slug} / {group.slug} / 2: "
        "mRSS is between 0 and 51; 60 is not.",
    ]
    assert [str(issue) for issue in broken_rules(LATER_RULES, group.study)] == told
    assert broken_rules(LATER_RULES, make_study(make_collection())) == []
    record = course.outcomes.get()
    record.followup = 24
    record.full_clean()
    record.save()
    assert len(broken_rules(LATER_RULES)) == 2


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"kind": "mean_sd_change", "baseline": 240}, {"baseline"}),
        ({"kind": "mean_sd_change", "followup": -1, "change": -60}, {"followup"}),
        ({"kind": "median_iqr", "value": 60, "iqr_low": 5, "iqr_high": 80}, {"value", "iqr_high"}),
        ({"kind": "score", "value": 52}, {"value"}),
        ({"kind": "mean_change", "change": -13}, set()),
        ({"kind": "standardised_mean_change", "value": "-0.29"}, set()),
        ({"kind": "median_change", "baseline": 24, "followup": 12, "iqr": 60}, set()),
    ],
)
def test_levels_of_a_group_lie_in_the_range_and_changes_need_not(db, fields, refused):
    finding = GroupFinding(
        group=make_group(make_study(make_collection())), number=1, measure="MRSS", **fields
    )
    try:
        finding.full_clean()
        told = set()
    except ValidationError as error:
        told = set(error.message_dict)
    assert told == refused
    assert finding.measure == "mRSS"


def test_what_a_group_counts_need_be_no_measure(db):
    group = make_group(make_study(make_collection()))
    finding = GroupFinding(group=group, number=1, measure="death", kind="events", events=1, n=5)
    finding.full_clean()
    assert finding.measure == "death"


def test_a_measure_in_use_keeps_its_name_and_takes_synonyms(course):
    outcome(course, "new nodules").save()
    nodules = Measure.objects.get(label="new nodules")
    nodules.label = "nodules"
    with pytest.raises(ValidationError) as told:
        nodules.full_clean()
    (message,) = told.value.message_dict["label"]
    assert message == (
        "Records name this measure “new nodules”. Keep the label, and add the other name to the "
        "synonyms."
    )
    with pytest.raises(ValidationError), transaction.atomic():
        nodules.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        Measure.objects.filter(pk=nodules.pk).update(label="nodules")
        connection.check_constraints()
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    nodules.refresh_from_db()
    nodules.synonyms = "nodules"
    nodules.full_clean()
    nodules.save()
    assert find_term(Measure, "Nodules") == nodules
    with pytest.raises(ProtectedError), transaction.atomic():
        nodules.delete()


def test_a_measure_that_findings_name_is_in_use_too(db):
    measure = make_measure("nailfold score")
    measure.label = "nailfold capillaroscopy score"
    measure.full_clean()
    measure.save()
    group = make_group(make_study(make_collection()))
    group.findings.create(number=1, measure=measure.label, kind="score", value=1)
    with pytest.raises(ProtectedError), transaction.atomic():
        measure.delete()
    measure.label = "nailfold score"
    with pytest.raises(ValidationError, match="Records name this measure “nailfold cap"):
        measure.full_clean()


def test_a_measure_that_rules_read_keeps_its_label(db):
    Outcome.objects.filter(measure=KnownMeasure.DLCO_PERCENT.label).delete()
    measure = Measure.objects.get(code=KnownMeasure.DLCO_PERCENT)
    measure.label = "DLCO percent"
    with pytest.raises(ValidationError, match="Rules and charts know this measure as “DLCO %"):
        measure.full_clean()


def fixture_records(measure: str) -> list[FixtureRecord]:
    """A patient treated for a year, whose skin improved by this measure."""
    key = ["work", "spelt"]
    fields = [
        ("collection", {"slug": "work", "name": "Work", "kind": "published", "description": "."}),
        (
            "study",
            {
                "collection": ["work"],
                "slug": "spelt",
                "short_name": "Spelt",
                "design": "case_report",
                "extraction": "abstract",
                "state": "published",
            },
        ),
        ("patient", {"study": key, "slug": "spelt-1", "label": "1", "state": "published"}),
        ("treatment", {"patient": ["spelt-1"], "number": 1, "inhibitor": ["Xeljanz"]}),
        (
            "outcome",
            {
                "treatment": ["spelt-1", 1],
                "number": 1,
                "domain": "skin",
                "measure": [measure],
                "baseline": "24",
                "followup": "12",
                "result": "improved",
            },
        ),
        ("studygroup", {"study": key, "slug": "all", "label": "All", "inhibitor": ["tofacitinib"]}),
        (
            "groupfinding",
            {
                "group": [*key, "all"],
                "number": 1,
                "kind": "median_change",
                "measure": measure,
                "n": 9,
                "baseline": "24",
                "followup": "12",
            },
        ),
    ]
    return [
        FixtureRecord("work.json", place, f"evidence.{model}", values)
        for place, (model, values) in enumerate(fields, start=1)
    ]


@pytest.mark.parametrize("measure", ["MRSS", "modified Rodnan skin score", "mrss"])
def test_a_spelling_in_a_fixture_is_the_measure_that_rules_and_charts_read(client, db, measure):
    records = fixture_records(measure)
    assert load_records(records).changed == len(records)
    again = load_records([*records, FixtureRecord("x.json", 1, "evidence.therapy", THERAPY)])
    assert again.outcomes["updated"] == 0 and not again.preserved
    text = text_of(client.get("/work/rules/"))
    assert "1 of 1 outcome" in text
    assert "In 0 of 1 treatment mRSS is not recorded at all" in text
    (chart,) = client.get("/work/charts/?chart=group-levels").context["charts"]
    assert "9" in str(chart.table)
    assert client.get("/api/v1/work/outcomes/").json()["results"][0]["measure"] == "mRSS"


THERAPY = {"code": "made-up-for-this", "label": "Made up for this"}


def test_a_fixture_without_such_a_measure_is_told(db):
    with pytest.raises(Exception, match="there is no measure"):
        load_records(fixture_records("nobody measures this"))


def test_a_term_a_curator_entered_under_another_code_is_left_to_them(db, copied):  # noqa: F811
    """Before the fixtures had it, or before they knew this synonym."""
    Therapy.objects.filter(code="cyclophosphamide").delete()
    LoadedRecord.objects.filter(model="evidence.therapy", key='["cyclophosphamide"]').delete()
    own = Therapy.objects.create(code="cyc", label="Cyclophosphamide")
    Therapy.objects.create(code="mtx-sc", label="MTX s.c.")
    change(
        copied / "vocabulary.json",
        "evidence.therapy",
        {"code": "methotrexate"},
        synonyms="MTX; MTX s.c.",
    )
    told = load_again()
    assert "cyclophosphamide: kept: a curator’s own term, Cyclophosphamide, has one of its" in told
    assert "methotrexate: kept: a curator’s own term, MTX s.c., has one of its" in told
    assert Therapy.objects.get_by_natural_key("cyclophosphamide") == own
    assert Therapy.objects.get(code="methotrexate").synonyms == "MTX"


def test_two_terms_of_the_fixtures_with_one_spelling_are_an_error(db, copied):  # noqa: F811
    change(
        copied / "vocabulary.json",
        "evidence.therapy",
        {"code": "insulin"},
        synonyms="metho trexate",
    )
    with pytest.raises(CommandError, match="“metho trexate” is a spelling of “Methotrexate”"):
        load_again()


def test_the_files_of_the_collection_hold_codes_of_measures():
    entries = json.loads((fixture_folder() / "published.json").read_text(encoding="utf-8"))
    codes = set(Measure.objects.values_list("code", flat=True))
    found = [
        entry["fields"]["measure"] for entry in entries if entry["model"] == "evidence.outcome"
    ]
    assert found and all(code in codes for (code,) in found)


# In forms


def offered(admin_client, owner: str, field: str, word: str) -> dict[str, str]:
    """What a form offers while somebody types a word: value -> text."""
    told = admin_client.get(
        reverse("admin:autocomplete"),
        {"app_label": "evidence", "model_name": owner, "field_name": field, "term": word},
    )
    assert told.status_code == 200
    return {each["id"]: each["text"] for each in told.json()["results"]}


@pytest.mark.parametrize(
    ("owner", "field", "word", "label"),
    [
        ("outcome", "measure", "MRSS", "mRSS"),
        ("outcome", "measure", "m-RSS", "mRSS"),
        ("outcome", "measure", "rodnan", "mRSS"),
        ("outcome", "measure", "6MWD", "6-minute walk distance"),
        ("patientautoantibody", "autoantibody", "ATA", "anti-Scl-70"),
        ("patientautoantibody", "autoantibody", "scl70", "anti-Scl-70"),
        ("patient", "prior_therapies", "MMF", "Mycophenolate mofetil"),
        ("treatment", "concomitant_therapies", "hcq", "Hydroxychloroquine"),
        ("treatment", "inhibitor", "xeljanz", "tofacitinib"),
        ("adverseevent", "category", "shingles", "Herpes zoster"),
    ],
)
def test_forms_find_a_term_by_any_spelling(admin_client, owner, field, word, label):
    assert label in offered(admin_client, owner, field, word).values()


def test_a_measure_chosen_by_another_spelling_is_what_the_rules_read(admin_client, client, course):
    (value,) = offered(admin_client, "outcome", "measure", "MRSS")
    place = address(type(course), "change", course.pk)
    row = {"domain": "skin", "measure": value, "baseline": "24", "followup": "12"}
    row |= {"result": "improved"}
    told = admin_client.post(place, new_rows(admin_client.get(place), "outcomes", row))
    assert told.status_code == 302
    assert "1 of 1 outcome" in text_of(client.get("/work/rules/"))


def test_a_value_out_of_range_is_told_beside_its_field(admin_client, course):
    place = address(type(course), "change", course.pk)
    row = {"domain": "skin", "measure": "mRSS", "baseline": "240", "followup": "12"}
    told = admin_client.post(place, new_rows(admin_client.get(place), "outcomes", row))
    assert "mRSS is between 0 and 51; 240 is not." in visible_errors(told)
    (form,) = [
        form
        for inline in told.context["inline_admin_formsets"]
        for form in inline.formset.forms
        if form.errors
    ]
    assert set(form.errors) == {"baseline"}
    assert not course.outcomes.exists()


def test_a_term_out_of_use_is_not_offered_and_stays_where_it_is(admin_client, course):
    outcome(course, "new nodules", result="stable").save()
    Measure.objects.filter(label="new nodules").update(in_use=False)
    JAKInhibitor.objects.filter(slug="tofacitinib").update(in_use=False)
    assert offered(admin_client, "outcome", "measure", "new nodules") == {}
    assert offered(admin_client, "treatment", "inhibitor", "tofacitinib") == {}
    place = address(type(course), "change", course.pk)
    page = admin_client.get(place)
    assert "new nodules" in page.content.decode()
    assert admin_client.post(place, filled(page)).status_code == 302
    assert course.outcomes.get().measure_id == "new nodules"
    listed = admin_client.get(address(Measure, "changelist"), {"q": "new nodules"})
    assert "new nodules" in listed.content.decode(), "whoever curates the terms finds it"


def test_words_of_a_source_are_added_beside_the_outcome(admin_client, db):
    place = address(Measure, "add") + "?_to_field=label&_popup=1"
    form = filled(admin_client.get(place)) | {
        "code": "nail-changes",
        "label": "nail changes",
        "_popup": "1",
        "_to_field": "label",
    }
    told = admin_client.post(address(Measure, "add"), form)
    assert told.status_code == 200
    answer = json.loads(told.context["popup_response_data"])
    assert answer["value"] == "nail changes", "what the field beside the outcome takes"
    assert not Measure.objects.get(label="nail changes").standard
    clash = form | {"code": "rodnan-2", "label": "Rodnan score", "synonyms": "M-RSS"}
    told = admin_client.post(address(Measure, "add"), clash)
    assert "“M-RSS” is a spelling of “mRSS” already." in visible_errors(told)


def test_every_vocabulary_of_a_form_is_searched(db):
    """A term out of use is left out by the search, so no form may list a vocabulary whole."""
    for model, registered in admin.site._registry.items():
        if issubclass(model, Spelled):
            continue  # a term's own wider term
        for owner in (registered, *(inline for inline in registered.inlines)):
            owned = owner.model
            named = flatten(owner.fields) if owner.fields else None
            read_only = set(owner.readonly_fields)
            for field in (*owned._meta.concrete_fields, *listed_fields(owned)):
                if (
                    field.is_relation
                    and issubclass(field.related_model, Spelled)
                    and (named is None or field.name in named)
                    and field.name not in read_only
                ):
                    assert field.name in owner.autocomplete_fields, (owner, field.name)


def test_a_drawn_collection_brings_a_measure_that_is_not_offered(db):
    call_command("generate_cohort", patients=30, seed=1, stdout=StringIO())
    drawn = set(
        Outcome.objects.filter(treatment__patient__study__collection__slug="synthetic")
        .order_by()
        .values_list("measure", flat=True)
        .distinct()
    )
    assert drawn == {"mRSS", "FVC % predicted", "synthetic score"}
    assert not Measure.objects.get(label="synthetic score").in_use
