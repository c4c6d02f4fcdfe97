"""The coded vocabulary. Every list has an explicit member for what is not known; no blank stands
for it.
"""

from django.db.models import TextChoices


class CollectionKind(TextChoices):
    PUBLISHED = "published", "Published evidence"
    SIMULATED = "simulated", "Simulated records"


class State(TextChoices):
    """Publication state; readers see `published` only."""

    DRAFT = "draft", "Draft"
    PUBLISHED = "published", "Published"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Extraction(TextChoices):
    """How much of a source has been read. Decides what an empty value means: see `missing.py`."""

    FULL_TEXT = "full_text", "Full text"
    IN_PART = "in_part", "Full text, read in part"
    ABSTRACT = "abstract", "Abstract or opening of the paper"
    REGISTRY = "registry", "Trial registration"
    SECONDARY = "secondary", "Cited by another publication"


class Missing(TextChoices):
    """Why a value is empty. Neither is ever `absent`, which is a finding."""

    NOT_REPORTED = "not-reported", "not reported"
    NOT_EXTRACTED = "not-extracted", "not extracted"


class RetractionStatus(TextChoices):
    """What the journal has said of a publication since: the gravest that holds. “None known” is
    what nobody has found, not what nobody has published.
    """

    NONE_KNOWN = "none_known", "None known"
    CORRECTED = "corrected", "Corrected"
    CONCERN = "concern", "Expression of concern"
    RETRACTED = "retracted", "Retracted"


class Design(TextChoices):
    CASE_REPORT = "case_report", "Case report"
    CONFERENCE_ABSTRACT = "conference_abstract", "Conference abstract"
    CASE_SERIES = "case_series", "Case series"
    RETROSPECTIVE_COHORT = "retrospective_cohort", "Retrospective cohort"
    OPEN_LABEL_TRIAL = "open_label_trial", "Open-label trial"
    RANDOMISED_TRIAL = "randomised_trial", "Randomised trial"
    REGISTERED_TRIAL = "registered_trial", "Registered trial"
    UNKNOWN = "unknown", "Design not known"


class Sex(TextChoices):
    FEMALE = "female", "Female"
    MALE = "male", "Male"
    UNKNOWN = "unknown", "Not known"


class Subset(TextChoices):
    """Disease subset of systemic sclerosis, as the source names it."""

    DIFFUSE = "diffuse", "Diffuse cutaneous (dcSSc)"
    LIMITED = "limited", "Limited cutaneous (lcSSc)"
    SINE = "sine", "Sine scleroderma"
    OVERLAP = "overlap", "Overlap syndrome"
    UNKNOWN = "unknown", "Not known"


class DiseaseTerm(TextChoices):
    """What a patient has, where codes of other ontologies are concerned: the disease, or its subset
    under the code `Subset` has for it.
    """

    WHOLE = "systemic-sclerosis", "Systemic sclerosis"
    DIFFUSE = Subset.DIFFUSE.value, f"Systemic sclerosis: {Subset.DIFFUSE.label}"
    LIMITED = Subset.LIMITED.value, f"Systemic sclerosis: {Subset.LIMITED.label}"
    SINE = Subset.SINE.value, f"Systemic sclerosis: {Subset.SINE.label}"
    OVERLAP = Subset.OVERLAP.value, f"Systemic sclerosis: {Subset.OVERLAP.label}"


class Response(TextChoices):
    """The authors' verdict. `not_improved` is for sources that say no more than that."""

    IMPROVED = "improved", "Improved"
    STABLE = "stable", "Stable"
    WORSENED = "worsened", "Worsened"
    NOT_IMPROVED = "not_improved", "Not improved (not further stated)"
    UNKNOWN = "unknown", "Not known"


class YesNo(TextChoices):
    YES = "yes", "Yes"
    NO = "no", "No"
    UNKNOWN = "unknown", "Not known"


class Ascertainment(TextChoices):
    """Whether a source says anything about adverse events under a treatment."""

    EVENTS = "events", "Adverse events reported"
    EXPLICITLY_NONE = "explicitly_none", "Stated: none occurred"
    NOT_STATED = "not_stated", "Not stated"


class ListCompleteness(TextChoices):
    """How much of a list a source gives. An item that is not on it is absent only where the list is
    whole.
    """

    COMPLETE = "complete", "Complete"
    PARTIAL = "partial", "Partial: there may be more"
    NONE = "none", "None, as stated"
    NOT_STATED = "not_stated", "Not stated"

    @classmethod
    def complete_values(cls) -> list[str]:
        """The values under which what is not on the list is absent."""
        return [cls.COMPLETE.value, cls.NONE.value]


class Presence(TextChoices):
    PRESENT = "present", "Present"
    ABSENT = "absent", "Looked for, absent"


class Domain(TextChoices):
    SKIN = "skin", "Skin"
    LUNG = "lung", "Lung"
    GI = "gi", "Gastrointestinal"
    JOINTS = "joints", "Joints"
    VASCULAR = "vascular", "Vascular"
    GLOBAL = "global", "Global"


class Better(TextChoices):
    """Which way a measure goes when a patient does better."""

    LOWER = "lower", "Lower is better"
    HIGHER = "higher", "Higher is better"


class KnownMeasure(TextChoices):
    """Measures that rules and charts read: their codes and labels in the vocabulary
    (`models.Measure`), which stay.
    """

    MRSS = "mrss", "mRSS"
    FVC_PERCENT = "fvc-percent-predicted", "FVC % predicted"
    DLCO_PERCENT = "dlco-percent-predicted", "DLCO % predicted"
    DLCO = "dlco", "DLCO"


class Assessed(TextChoices):
    """About which month an outcome was assessed; the windows are in `models.outcome.WINDOWS` and do
    not overlap.
    """

    MONTH_1 = "1", "Month 1 (before 2)"
    MONTH_3 = "3", "Month 3 (2 to under 4.5)"
    MONTH_6 = "6", "Month 6 (4.5 to under 9)"
    MONTH_12 = "12", "Month 12 (9 to under 18)"
    MONTH_24 = "24", "Month 24 (18 to under 36)"
    LATER = "later", "Month 36 or later"
    UNKNOWN = "unknown", "Not known"


class Item(TextChoices):
    """What can be counted of patients and of groups alike, study by study."""

    IMPROVED = "improved", "Improved (authors’ overall verdict)"
    RELAPSED = "relapsed", "Relapsed"
    ANY_ADVERSE_EVENT = "any_adverse_event", "Any adverse event"
    SERIOUS = "serious", "Serious adverse event"
    STOPPED = "stopped", "Stopped the JAK inhibitor"
    IMPROVED_SKIN = "improved_skin", "Improved: skin"
    IMPROVED_LUNG = "improved_lung", "Improved: lung"
    IMPROVED_GI = "improved_gi", "Improved: gastrointestinal"
    IMPROVED_JOINTS = "improved_joints", "Improved: joints"
    IMPROVED_VASCULAR = "improved_vascular", "Improved: vascular"
    IMPROVED_GLOBAL = "improved_global", "Improved: global"


class Reported(TextChoices):
    """What a paper's own total is of: patients it counts, or what it measured in each of them."""

    PATIENTS = "patients", "Patients"
    FEMALE = Sex.FEMALE.value, "Female"
    MALE = Sex.MALE.value, "Male"
    DIFFUSE = Subset.DIFFUSE.value, Subset.DIFFUSE.label
    LIMITED = Subset.LIMITED.value, Subset.LIMITED.label
    OVERLAP = Subset.OVERLAP.value, Subset.OVERLAP.label
    MANIFESTATION = "manifestation", "With a manifestation"
    AUTOANTIBODY = "autoantibody", "With an autoantibody"
    INHIBITOR = "inhibitor", "Given a JAK inhibitor"
    INDICATION = "indication", "Given it for an indication"
    IMPROVED = Item.IMPROVED.value, Item.IMPROVED.label
    STABLE = Response.STABLE.value, "Stable (authors’ overall verdict)"
    WORSENED = Response.WORSENED.value, "Worsened (authors’ overall verdict)"
    RELAPSED = Item.RELAPSED.value, Item.RELAPSED.label
    ANY_ADVERSE_EVENT = Item.ANY_ADVERSE_EVENT.value, Item.ANY_ADVERSE_EVENT.label
    SERIOUS = Item.SERIOUS.value, Item.SERIOUS.label
    STOPPED = Item.STOPPED.value, Item.STOPPED.label
    IMPROVED_SKIN = Item.IMPROVED_SKIN.value, Item.IMPROVED_SKIN.label
    IMPROVED_LUNG = Item.IMPROVED_LUNG.value, Item.IMPROVED_LUNG.label
    IMPROVED_GI = Item.IMPROVED_GI.value, Item.IMPROVED_GI.label
    IMPROVED_JOINTS = Item.IMPROVED_JOINTS.value, Item.IMPROVED_JOINTS.label
    IMPROVED_VASCULAR = Item.IMPROVED_VASCULAR.value, Item.IMPROVED_VASCULAR.label
    IMPROVED_GLOBAL = Item.IMPROVED_GLOBAL.value, Item.IMPROVED_GLOBAL.label
    AGE = "age", "Age (years)"
    DISEASE_DURATION = "disease_duration", "Disease duration (months)"
    BASELINE = "baseline", "Measure at baseline"
    FOLLOWUP = "followup", "Measure at follow-up"

    @classmethod
    def measured(cls) -> list[str]:
        """What each patient has a number of; all others are counted."""
        return [one.value for one in (cls.AGE, cls.DISEASE_DURATION, cls.BASELINE, cls.FOLLOWUP)]


class Statistic(TextChoices):
    """What a paper prints of its patients together."""

    COUNT = "count", "Number of patients"
    PERCENT = "percent", "Percentage of patients"
    MEAN = "mean", "Mean"
    MEDIAN = "median", "Median"
    MINIMUM = "minimum", "Lowest"
    MAXIMUM = "maximum", "Highest"

    @classmethod
    def of_counts(cls) -> list[str]:
        """Those of patients who are counted."""
        return [cls.COUNT.value, cls.PERCENT.value]


class FindingKind(TextChoices):
    """The shape of an aggregate result; says which of a finding's numbers are meant to be there."""

    EVENTS = "events", "Events of n"
    SHARE = "share", "Percentage of n"
    MEDIAN_CHANGE = "median_change", "Median, baseline to follow-up"
    MEAN_CHANGE = "mean_change", "Mean change"
    MEAN_SD_CHANGE = "mean_sd_change", "Mean (SD), baseline to follow-up"
    STANDARDISED_MEAN_CHANGE = "standardised_mean_change", "Standardised mean change"
    MEDIAN_IQR = "median_iqr", "Median (IQR)"
    SCORE = "score", "Score"


class Method(TextChoices):
    """How a value was obtained from its source."""

    STATED = "stated", "Stated"
    CONVERTED = "converted", "Converted"
    COMPUTED = "computed", "Computed"
    READ_OFF_FIGURE = "read_off_figure", "Read off a figure"


class FigureUnit(TextChoices):
    PERCENT = "percent", "percent"
    YEARS = "years", "years"
    RATIO = "ratio", "ratio"
    EVENTS = "events", "events"
    PATIENTS = "patients", "patients"


class Verdict(TextChoices):
    """Whether a printed figure comes out of the loaded records."""

    AGREES = "agrees", "agrees"
    DIFFERS = "differs", "differs"
    NOT_COMPUTABLE = "not_computable", "not computable"


class AppraisalTool(TextChoices):
    """Sets of questions about risk of bias; the questions are in `models.appraisal`."""

    JBI_CASE_REPORTS = "jbi-case-reports", "JBI, case reports"
    JBI_CASE_SERIES = "jbi-case-series", "JBI, case series"
    MURAD_2018 = "murad-2018", "Murad 2018"


class AppraisalAnswer(TextChoices):
    YES = "yes", "Yes"
    NO = "no", "No"
    UNCLEAR = "unclear", "Unclear"
    NOT_APPLICABLE = "not_applicable", "Not applicable"


class Appraised(TextChoices):
    """Whether two persons have answered every question about a study, and a consensus stands."""

    YES = "yes", "Yes, by two persons with a consensus"
    NO = "no", "Not yet"


class SuggestionStage(TextChoices):
    """What has become of a reader's suggestion."""

    NEW = "new", "New"
    ACCEPTED = "accepted", "Accepted"
    DECLINED = "declined", "Declined"


class Stage(TextChoices):
    """A step of a study flow, as PRISMA 2020 draws it."""

    IDENTIFIED = "identified", "Identified"
    SCREENED = "screened", "Screened"
    EXCLUDED_SCREENING = "excluded_screening", "Excluded at screening"
    ASSESSED = "assessed", "Assessed for eligibility"
    EXCLUDED = "excluded", "Excluded"
    INCLUDED = "included", "Included"


class Match(TextChoices):
    """How a set of chosen values is compared with a record's set. For one question any >= all >=
    exactly.
    """

    ANY = "any", "any of"
    ALL = "all", "all of"
    EXACTLY = "exactly", "exactly"
    NONE = "none", "none of"
