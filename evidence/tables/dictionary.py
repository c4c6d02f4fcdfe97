"""The data dictionary: what every column of every file means. Generated from the columns; a column without a meaning
is an error the tests find.
"""

from dataclasses import dataclass

from . import TABLES, TIDY, Column, Table

OUR_DEFINITION = "Casebook"
ABBREVIATED = "only the abstract, the registration or a citation was read"
MISSING_TEXT = f"“not reported” (the paper was read in full and does not say) or “not extracted” ({ABBREVIATED})"
MISSING_NUMBER = "empty; the column empty_means says whether it is not reported or not extracted"
MISSING_NONE = "empty where it does not apply or was not printed"
MISSING_LIST = "a list that is not known says why; within a list, one value that is not known says so in its place"

UNITS = {
    "age_years": "years",
    "disease_duration_months": "months",
    "duration_months": "months",
    "baseline_month": "months since the start of the course",
    "at_months": "months since the start of the course",
    "onset_months": "months since the start of the course",
    "follow_up_weeks": "weeks",
    "at_weeks": "weeks",
    "percent": "percent",
    "grade": "CTCAE grade",
    "n": "patients",
    "events": "patients with the event",
    "n_jaki": "patients",
    "n_randomised": "patients",
    "planned_n": "patients",
    "patients": "patients",
    "groups": "groups",
    "year": "calendar year",
}
# Numbers that are whole by what they are.
WHOLE = {"treatment", "outcome", "event", "finding", "provenance", "age_years", "year", "grade", "n", "events"}
WHOLE |= {"n_jaki", "n_randomised", "planned_n", "patients", "groups"}
MEASURED = "the unit of the measure, as the source gives it"
UNITS |= dict.fromkeys(
    [
        "baseline",
        "followup",
        "value",
        "baseline_sd",
        "followup_sd",
        "change",
        "change_sd",
        "iqr",
        "iqr_low",
        "iqr_high",
    ],
    MEASURED,
)

VOCABULARIES = {
    "inhibitor": "an inhibitor's slug, as on /inhibitors/",
    "inhibitors": "inhibitors' slugs, as on /inhibitors/",
    "registered_inhibitor": "an inhibitor's slug, as on /inhibitors/",
    "indications": "codes of indications, joined by +",
    "indication_sets": "codes of indications, joined by +, one set for each course",
    "category": "a code of an adverse event category",
    "autoantibodies_present": "codes of autoantibodies",
    "autoantibodies_absent": "codes of autoantibodies",
    "manifestations_present": "codes of manifestations",
    "manifestations_absent": "codes of manifestations",
    "prior_therapies": "codes of therapies",
    "concomitant_therapies": "codes of therapies",
    "indication": "a code of an indication",
    "manifestation": "a code of a manifestation",
    "autoantibody": "a code of an autoantibody",
    "therapy": "a code of a therapy",
    "study": "a study's slug, joined to the column study of studies.csv",
    "may_share_patients_with": "studies' slugs",
}

MRSS = "Modified Rodnan skin score, 0 to 51: 17 sites, 0 to 3 points each."
CTCAE = "Common Terminology Criteria for Adverse Events (CTCAE), grades 1 to 5, where the source grades."
SOURCES = {
    "grade": CTCAE,
    "doi": "DOI Foundation",
    "pmid": "PubMed",
    "pmcid": "PubMed Central",
    "nct": "ClinicalTrials.gov",
}

# What each column means, by its name; where a name means something else in one file, by (file, name).
MEANINGS: dict[str | tuple[str, str], str] = {
    "patient": "Public id of one individually reported person; never changed once published.",
    "study": "Public id of the study, for joining files.",
    "study_name": "The study's short name.",
    "year": "Year of publication, or of registration.",
    "design": "Study design, as coded by a curator.",
    "doi": "Digital object identifier of the publication.",
    "sex": "Sex, as the source states it.",
    "age_years": "Age in whole years, as the source states it.",
    "subset": "Disease subset of systemic sclerosis, as the source names it.",
    ("groups", "subset"): "Disease subset of all patients of the group, where the source names one.",
    "disease_duration_months": "Duration of the disease at presentation, converted to months.",
    "classification": "Classification criteria the source says are met.",
    "comorbidities": "Other diseases the source names, separated by semicolons.",
    "autoantibodies_present": "Autoantibodies that were looked for and found.",
    "autoantibodies_absent": "Autoantibodies that were looked for and not found.",
    "manifestations_present": "Organ involvement and signs that are present.",
    "manifestations_absent": "Organ involvement and signs that were looked for and are absent.",
    "prior_therapies": "Therapies before the JAK inhibitor.",
    "inhibitors": "JAK inhibitors of those courses that answer the question.",
    "indication_sets": "What each course that answers the question was given for, as a set.",
    "responses": "The authors' overall verdict on each course that answers the question.",
    "relapsed": "Whether the disease relapsed under or after the course.",
    ("patients", "relapsed"): "Whether the disease relapsed, for each course that answers the question.",
    "adverse_events": "Whether the source says that there were adverse events under the course.",
    (
        "patients",
        "adverse_events",
    ): "What the source says of adverse events, for each course that answers the question.",
    "treatment": "Number of the patient's course of a JAK inhibitor: 1, 2, 3.",
    "inhibitor": "The JAK inhibitor of the course.",
    ("groups", "inhibitor"): "The group's JAK inhibitor, or “comparator”, or “several, not reported apart”.",
    ("findings", "inhibitor"): "The group's JAK inhibitor, or “comparator”, or “several, not reported apart”.",
    "dose": "Dose, as written in the source.",
    "duration_months": "How long the course lasted, converted to months.",
    "indications": "What the course was given for: all of them together, as a set.",
    ("groups", "indications"): "What the group was treated for.",
    "concomitant_therapies": "Therapies along with the JAK inhibitor.",
    "response": "The authors' overall verdict on the course.",
    "stopped": "Whether the course was stopped.",
    "stop_reason": "Why it was stopped, as the source says.",
    "outcome": "Number of the outcome within its course.",
    "domain": "The organ domain the outcome belongs to.",
    "measure": f"What was measured, as the source names it. mRSS: {MRSS}",
    "unit": "Unit of baseline and follow-up, where it is not part of the measure's name.",
    "baseline": "Value before or at the start.",
    "followup": "Value at follow-up.",
    "followup_text": "The follow-up in words, where the source gives no number.",
    "baseline_month": "When the baseline was taken; 0 is the start of the course.",
    "at_months": "When the outcome was assessed.",
    "result": "The authors' verdict on this outcome.",
    "event": "Number of the adverse event within its course.",
    "category": "Our short grouping of adverse events; not a MedDRA term.",
    "description": "The adverse event in the source's words.",
    "grade": "Severity. Severe is not serious.",
    "serious": "Whether the event is serious in the regulatory sense.",
    "onset_months": "When the event began.",
    "led_to_stop": "Whether the event led to stopping the JAK inhibitor.",
    "title": "Title of the publication or registration.",
    "authors": "Authors, separated by semicolons; “et al.” where not all were extracted.",
    "journal": "Journal, or the conference.",
    "volume": "Volume and issue.",
    "pages": "Pages or article number.",
    "pmid": "PubMed id.",
    "pmcid": "PubMed Central id.",
    "nct": "Registration number of the trial.",
    "url": "Address of the source where it has no DOI.",
    "country": "Country the patients were treated in.",
    "extraction": "How much of the source was read; decides what an empty value means.",
    "n_jaki": "How many of the study's patients were given a JAK inhibitor.",
    "n_randomised": "How many patients were randomised.",
    "planned_n": "Planned enrolment of a registered trial.",
    "patients": "How many patients the study reports one by one.",
    "groups": "How many groups the study reports in aggregate, comparators included.",
    "registered_inhibitor": "The JAK inhibitor a registered trial studies.",
    "comparator": "What a registered trial compares it with.",
    "registry_status": "Recruitment status in the registry, with the date it was read.",
    "results_posted": "Whether the registry has results.",
    "may_share_patients_with": "Studies that report, or may report, some of the same people.",
    "notes": "A curator's remarks on the study.",
    "group": "Public id of the group within its study.",
    "group_name": "How the source calls the group.",
    "n": "How many patients the group has.",
    ("findings", "n"): "How many patients were analysed for this finding.",
    "follow_up_weeks": "Length of follow-up.",
    "finding": "Number of the finding within its group.",
    "kind": "The shape of the finding: which of its numbers are meant to be there.",
    "at_weeks": "When it was assessed.",
    "events": "How many patients had what was measured.",
    "percent": "Percentage, where the source prints that instead of a count.",
    "value": "A single value, such as a median or a score.",
    "baseline_sd": "Standard deviation at baseline.",
    "followup_sd": "Standard deviation at follow-up.",
    "change": "Change from baseline to follow-up, as printed.",
    "change_sd": "Standard deviation of the change.",
    "iqr": "Width of the interquartile range, where only the width is printed.",
    "iqr_low": "Lower end of the interquartile range.",
    "iqr_high": "Upper end of the interquartile range.",
    "item": "What of individual patients the finding means the same as, if anything.",
    "p_value": "p-value, as printed.",
    "indication": "One thing the course was given for; a course without a row is one whose indications are not known.",
    "manifestation": "An organ involvement or sign that was looked for; without a row nothing is known of it.",
    "autoantibody": "An autoantibody that was looked for; without a row nothing is known of it.",
    "therapy": "One therapy.",
    "status": "Whether it was found.",
    "label": "How the source calls the patient.",
    "prior_status": "Whether the source lists earlier therapies; they stand in prior-therapies.csv.",
    "provenance": "Number of the record within its study.",
    "subject": "What kind of record the value belongs to.",
    ("provenance", "patient"): "The patient the value belongs to, if it belongs to one.",
    ("provenance", "treatment"): "The course the value belongs to, if it belongs to one.",
    ("provenance", "outcome"): "The outcome the value belongs to, if it belongs to one.",
    ("provenance", "event"): "The adverse event the value belongs to, if it belongs to one.",
    ("provenance", "group"): "The group the value belongs to, if it belongs to one.",
    ("provenance", "finding"): "The finding the value belongs to, if it belongs to one.",
    "field": "The field whose value this is.",
    "locator": "The place in the source: abstract, table 2, p. 5.",
    "method": "How the value was obtained.",
    "extracted_by": "Who extracted it.",
    "checked_by": "Who checked it; always somebody else.",
    ("provenance", "note"): "What explains the value.",
    "note": "A curator's remarks on the finding.",
}


HEADER = ("file", "column", "label", "meaning", "type", "unit", "values", "missing", "source")


@dataclass(frozen=True)
class Entry:
    """One column of one file, for people and for programs. `values` holds (code, label) where they are listed."""

    file: str
    name: str
    label: str
    meaning: str
    type: str
    unit: str
    values: list[tuple[str, str]]
    codes: str
    missing: str
    source: str

    @property
    def allowed(self) -> str:
        """The allowed values in one line."""
        return self.codes or "; ".join(f"{code} = {label}" for code, label in self.values)

    @property
    def cells(self) -> tuple[str, ...]:
        """The entry as a row of a file, under HEADER."""
        said = (self.label, self.meaning, self.type, self.unit, self.allowed, self.missing, self.source)
        return (self.file, self.name, *said)


def entry(table: Table, column: Column) -> Entry:
    """Raises KeyError for a column nobody has said the meaning of."""
    name = (table.noun, column.name)
    return Entry(
        file=f"{table.noun}.csv",
        name=column.name,
        label=column.label,
        meaning=MEANINGS[name] if name in MEANINGS else MEANINGS[column.name],
        type=type_of(column),
        unit=UNITS.get(column.name, "") if column.numeric else "",
        values=[(code, label) for code, label in column.labels.items() if code != column.unknown],
        codes=VOCABULARIES.get(column.name, ""),
        missing=missing(column),
        source=SOURCES.get(column.name, OUR_DEFINITION),
    )


def type_of(column: Column) -> str:
    if column.numeric:
        return "number"
    kind = "code" if column.labels or column.name in VOCABULARIES else "text"
    return f"list of {kind}s, separated by semicolons" if column.listed else kind


def missing(column: Column) -> str:
    if not column.tells_missing:
        return MISSING_NONE
    if column.numeric:
        return MISSING_NUMBER
    return f"{MISSING_TEXT}; {MISSING_LIST}" if column.listed else MISSING_TEXT


# What every file has besides its own columns.
COMMON = [
    ("empty_means", "Empty means", "What an empty value of this row means.", "not reported; not extracted"),
    ("collection", "Collection", "The collection the row belongs to; rows of two are never in one file.", ""),
    ("evidence_kind", "Kind of evidence", "“published”, or the caveat of a simulated collection, on every row.", ""),
]
RELEASE = ("release", "Release", "The release the data are of, and whether they have been edited since.", "")


def common(table: Table, *, alone: bool = True) -> list[Entry]:
    """What every file has besides its columns; one that stands alone names the release too."""
    return [
        Entry(f"{table.noun}.csv", name, label, meaning, "text", "", [], allowed, "never empty", OUR_DEFINITION)
        for name, label, meaning, allowed in [*COMMON, *([RELEASE] if alone else [])]
    ]


def bundled() -> list[tuple[Table, list[Entry]]]:
    """The same for the tidy files of a bundle."""
    return [
        (table, [*(entry(table, column) for column in table.file_columns), *common(table, alone=False)])
        for table in (tidy.table for tidy in TIDY.values())
    ]


def dictionary() -> list[tuple[Table, list[Entry]]]:
    """Every file with its columns, in their order."""
    return [
        (table, [*(entry(table, column) for column in table.file_columns), *common(table)]) for table in TABLES.values()
    ]
