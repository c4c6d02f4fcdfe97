"""From what stands in a cell to a value, a state, or a sentence that says why it is neither.

Nothing is guessed: a text with two meanings is refused with the question which one is meant, and
whatever is not kept as it was written is reported as a conversion.
"""

import datetime
import re
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from django.core.exceptions import ValidationError
from django.db import models

from ...models.identifiers import IdentifierField
from ...models.spellings import Spelled, fold_spelling
from ...summaries.forest import WEEKS_IN_MONTH
from ..documents import NOT_REPORTED, UNREADABLE
from .constraint_check import Rule, rules_of
from .sheets import Column, Kind, Sheet
from .terms import Spellings, read_terms, shorter_labels


@dataclass(frozen=True)
class Formula:
    """A cell that holds a formula instead of a value."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class ExcelError(Formula):
    """A cell that holds an error of Excel, such as #N/A."""


@dataclass(frozen=True)
class Percentage:
    """A number that is shown with a percent sign: 0.42 is read as 42 %."""

    number: float

    def __str__(self) -> str:
        return f"{number_text(self.number * 100)} %"


DATES = (datetime.date, datetime.time, datetime.timedelta)  # datetime is a date too
RawValue = str | int | float | bool | Formula | Percentage | datetime.date | None


class CellError(Exception):
    """Why a cell cannot be taken over; `nearest` are terms that may be meant."""

    def __init__(self, problem: str, nearest: tuple[str, ...] = ()):
        self.problem, self.nearest = problem, nearest
        super().__init__(problem)


@dataclass(frozen=True)
class Reading:
    """What a cell says: a value, a state, or that there was nothing (`is_none`: an empty list).

    `became` says what was made of a text that is not kept as written. `from_unit` names the unit
    a number was converted from; the value then is a converted one.
    """

    value: object = None
    state: str = ""
    is_none: bool = False
    became: str = ""
    from_unit: str = ""


NOT_REPORTED_WORDS = ("nr", "n.r.", "n.r", "n/r", "not reported", "not stated")
UNREADABLE_WORDS = ("unreadable", "illegible", "?")
NONE_WORDS = ("none", "none, as stated", "none as stated", "nil")
# Words that may say “not reported”, “nobody looked” or “does not apply”.
TWO_MEANINGS = {
    *("na", "n/a", "n.a.", "n.a", "-", "--", "–", "—", "−", ".", "/", "nd", "n.d.", "nk", "n/k"),
    *(
        "unknown",
        "not known",
        "unk",
        "missing",
        "null",
        "none reported",
        "not done",
        "not assessed",
    ),
    *("not available", "not applicable", "not determined", "not extracted", "unclear"),
}
WHICH = (
    "“{}” has more than one meaning. Write NR if the source was read and does not say; leave the "
    "cell empty if nobody has looked; write none or no if the source says that there was nothing."
)
# Texts in which “none” is an answer, and how it is kept.
NONE_AS_TEXT = {"comorbidities": "none, as stated"}
# Other spellings of codes, beside the code, its label and the parts of the label.
SPELLINGS = {
    "female": ("f", "w", "woman", "women", "girl", "fem"),
    "male": ("m", "man", "men", "boy"),
    "diffuse": (
        "diffuse",
        "diffuse cutaneous",
        "diffuse SSc",
        "dSSc",
        "diffuse cutaneous SSc",
    ),
    "limited": ("limited", "limited cutaneous", "limited SSc", "lSSc", "limited cutaneous SSc"),
    "sine": (
        "sine",
        "ssSSc",
        "sine SSc",
        "SSc sine scleroderma",
        "systemic sclerosis sine scleroderma",
    ),
    "overlap": ("overlap", "overlap SSc"),
    "improved": ("improvement", "better"),
    "stable": ("unchanged", "no change", "stabilised", "stabilized", "stabilisation"),
    "worsened": ("worse", "worsening", "progression", "progressed", "deteriorated"),
    "not_improved": ("not improved", "no improvement"),
    "yes": ("y", "true", "1", "positive", "pos", "present", "ja"),
    "no": ("n", "false", "0", "negative", "neg", "absent", "nein"),
    "events": ("yes", "reported", "events"),
    "explicitly_none": ("none", "none occurred", "none, as stated", "no adverse events"),
    "complete": ("all", "full", "whole list"),
    "partial": ("incomplete", "in part"),
    "none": NONE_WORDS,
    "full_text": ("full", "full paper", "fulltext"),
    "abstract": ("abstract only",),
    "registry": ("registration",),
    "case_report": ("case", "case study"),
    "case_series": ("series",),
    "retrospective_cohort": ("cohort", "retrospective"),
    "randomised_trial": ("RCT", "randomized trial", "randomised controlled trial"),
    "gi": ("GI",),
    "lung": ("pulmonary", "ILD"),
    "joints": ("joint", "articular"),
    "skin": ("cutaneous",),
}
SIGNS = {"+": "yes", "x": "yes", "✓": "yes", "✔": "yes"}

INVISIBLE = re.compile(r"[\u200b-\u200d\u2060\ufeff\u00ad\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
NO_TEXT = re.compile(r"[\ud800-\udfff]")  # half of a character: no database keeps it
SPACE = re.compile(r"[^\S\n]+")
LINES = re.compile(r"[^\S\n]*\r?\n\s*")


def clean_text(raw) -> str:
    """The text of a cell without invisible characters and superfluous space."""
    text = INVISIBLE.sub("", raw if isinstance(raw, str) else shown(raw)).replace("\r\n", "\n")
    return LINES.sub("\n", SPACE.sub(" ", text)).strip()


def shown(raw: RawValue) -> str:
    """A raw value as the curator sees it, for messages."""
    if raw is None:
        return ""
    if isinstance(raw, bool):
        return "TRUE" if raw else "FALSE"
    if isinstance(raw, float):
        return number_text(raw)
    if isinstance(raw, datetime.datetime):
        return raw.date().isoformat() if raw.time() == datetime.time() else raw.isoformat(" ")
    return str(raw)


def number_text(number: float) -> str:
    """A number as Excel shows it: 15 digits, so 0.1 + 0.2 is 0.3."""
    return format(Decimal(format(number, ".15g")).normalize(), "f")


def is_blank(raw: RawValue) -> bool:
    """Whether nothing stands in a cell but perhaps space."""
    return raw is None or (isinstance(raw, str) and not clean_text(raw))


class CellReader:
    """Reads the cells of one import; vocabularies are read once, equal cells are read once."""

    MOST_KEPT = 20_000

    def __init__(self):
        self.terms: dict[type[Spelled], Spellings[str]] = {}
        self.choices: dict[Column, Spellings[str]] = {}
        self.rules: dict[tuple[Sheet, str], tuple[Rule, ...]] = {}
        self.kept: dict[tuple, Reading | CellError | None] = {}

    def read(self, sheet: Sheet, column: Column, raw: RawValue) -> Reading | None:
        """What a cell says; None where it is blank. Raises CellError."""
        key = (sheet.title, column.field, type(raw), raw)
        if key not in self.kept:
            if len(self.kept) >= self.MOST_KEPT:
                self.kept.clear()
            try:
                self.kept[key] = self._read(sheet, column, raw)
            except CellError as error:
                self.kept[key] = error
        found = self.kept[key]
        if isinstance(found, CellError):
            raise CellError(found.problem, found.nearest)
        return found

    def spellings_of(self, model: type[Spelled]) -> Spellings[str]:
        """The terms of a vocabulary, read once."""
        if model not in self.terms:
            self.terms[model] = read_terms(model)
        return self.terms[model]

    def _read(self, sheet: Sheet, column: Column, raw: RawValue) -> Reading | None:
        refuse_what_is_no_value(raw)
        text = clean_text(raw)
        if not text:
            return None
        if isinstance(raw, bool) and column.kind not in (Kind.YES_NO, Kind.CHOICE):
            raise CellError("TRUE and FALSE are answers to a yes-or-no question; this is none.")
        reading = self.read_word(column, text)
        if reading is None:
            reading = self.read_value(column, raw, text)
        if reading.value is not None and column.model_field is not None:
            self.check_value(sheet, column, reading.value)
        if reading.value is not None and not reading.became:
            return replace(reading, became=self.understood_as(column, raw, text, reading.value))
        return reading

    def understood_as(self, column: Column, raw: RawValue, text: str, value) -> str:
        """What a text was taken for where it is written in another way than the value is named:
        with a synonym, or a decimal comma. Empty where it is not.
        """
        if column.kind in (Kind.WHOLE, Kind.DECIMAL):
            return f"{value}" if isinstance(raw, str) and "," in text else ""
        if column.kind in (Kind.TERM, Kind.TERMS, Kind.PRESENT, Kind.ABSENT):
            terms = self.spellings_of(column.vocabulary)
            labels = terms.labels
            parts = [text] if column.kind == Kind.TERM else parts_of_list(terms, text)
            codes = [terms.find(part) for part in parts]
        elif column.kind in (Kind.CHOICE, Kind.YES_NO):
            labels = dict(column.choices) if column.choices else {True: "yes", False: "no"}
            parts, codes = [text], [value]
        else:
            return ""
        named = all(
            fold_spelling(part) in map(fold_spelling, names_of(code, labels[code]))
            for part, code in zip(parts, codes, strict=True)
        )
        return "" if named else "; ".join(dict.fromkeys(labels[code] for code in codes))

    def read_word(self, column: Column, text: str) -> Reading | None:
        """A state, “none”, or a word with two meanings; None for all other texts."""
        word = text.casefold()
        if column.required and column.kind == Kind.CHOICE and self.code_of(column, text):
            return None  # a field that needs a value may have one that says “not known”
        if word in NOT_REPORTED_WORDS or word in UNREADABLE_WORDS:
            if not column.stateable:
                raise CellError(
                    f"“{text}” is not an answer here: "
                    + ("this cell needs a value." if column.required else "leave the cell empty.")
                )
            return Reading(state=UNREADABLE if word in UNREADABLE_WORDS else NOT_REPORTED)
        if word in TWO_MEANINGS:
            if not column.stateable:
                raise CellError(
                    f"“{text}” says nothing. "
                    + ("This cell needs a value." if column.required else "Leave the cell empty.")
                )
            raise CellError(WHICH.format(text))
        if word in NONE_WORDS and column.kind not in (Kind.CHOICE, Kind.YES_NO):
            return read_none(column, text)
        return None

    def read_value(self, column: Column, raw: RawValue, text: str) -> Reading:
        match column.kind:
            case Kind.CHOICE:
                return self.read_choice(column, raw, text)
            case Kind.YES_NO:
                return Reading(yes_or_no(text))
            case Kind.WHOLE | Kind.DECIMAL:
                return read_number(column, raw, text)
            case Kind.TERM:
                return Reading(self.read_term(column, text))
            case Kind.TERMS | Kind.PRESENT | Kind.ABSENT:
                return Reading(self.read_list(column, text))
            case Kind.REFERENCES:
                return Reading(tuple(dict.fromkeys(filter(None, map(str.strip, text.split(";"))))))
            case Kind.STATE:
                raise CellError(
                    "Only NR or unreadable can stand here. What there is has rows on the sheet "
                    f"{column.header.capitalize()}."
                )
        if column.vocabulary is not None:
            terms = self.spellings_of(column.vocabulary)
            label = terms.labels.get(terms.find(text), text)
            return Reading(label, became=label if label != text else "")
        return read_text(column, text)

    def code_of(self, column: Column, text: str) -> str | None:
        """The code of a choice, by any of its spellings."""
        if column not in self.choices:
            self.choices[column] = choice_spellings(column)
        return self.choices[column].find(text)

    def read_choice(self, column: Column, raw: RawValue, text: str) -> Reading:
        code = self.code_of(column, text)
        codes = dict(column.choices)
        if code is None and set(codes) == {"yes", "no"}:
            code = SIGNS.get(text.casefold())
        if code is None:
            if "explicitly_none" in codes and text.casefold() in ("no", "n", "0"):
                raise CellError(
                    "Does the source say that none occurred (write none), or does it say nothing "
                    "(write NR)?"
                )
            labels = "; ".join(codes.values())
            raise CellError(f"This is none of: {labels}.", self.choices[column].nearest(text))
        return Reading(code)

    def read_term(self, column: Column, text: str) -> str:
        terms = self.spellings_of(column.vocabulary)
        code = terms.find(text)
        if code is None:
            name = column.vocabulary._meta.verbose_name
            raise CellError(f"The vocabulary has no {name} “{text}”.", terms.nearest(text))
        return code

    def read_list(self, column: Column, text: str) -> tuple[str, ...]:
        """The codes of a list, each once."""
        terms = self.spellings_of(column.vocabulary)
        parts = parts_of_list(terms, text)
        unknown = [part for part in parts if terms.find(part) is None]
        if unknown:
            name = column.vocabulary._meta.verbose_name
            words = " and no ".join(f"“{part}”" for part in unknown)
            state = next((one for one in unknown if is_state_word(one)), None)
            if state:
                raise CellError(f"“{state}” stands for a whole list, not in one with terms.")
            nearest = tuple(dict.fromkeys(one for part in unknown for one in terms.nearest(part)))
            raise CellError(f"The vocabulary has no {name} {words}.", nearest)
        return tuple(sorted({terms.find(part) for part in parts}))

    def check_value(self, sheet: Sheet, column: Column, value) -> None:
        """Raises CellError where the table or the field refuses the value by itself."""
        field = column.model_field
        if field.is_relation:
            return
        key = (sheet, column.field)
        if key not in self.rules:
            rules = rules_of(sheet.model) if column.field == field.name else ()
            self.rules[key] = tuple(rule for rule in rules if rule.fields == (field.name,))
        for rule in self.rules[key]:
            if rule.is_broken({field.name: value}):
                raise CellError(rule.message)
        try:
            field.run_validators(value)
        except ValidationError as error:
            own = error.messages[-1:] if column.kind == Kind.IDENTIFIER else error.messages
            raise CellError(" ".join(own)) from None


def names_of(code, label: str) -> list[str]:
    """What a term or a choice is called, apart from synonyms."""
    return [str(code), label, *shorter_labels(label)]


def parts_of_list(terms: Spellings[str], text: str) -> list[str]:
    """What a text lists. Commas separate only where no semicolon does and a part is a term."""
    parts = [part for part in map(str.strip, re.split(r"[;\n]", text)) if part]
    if len(parts) == 1 and "," in text and terms.find(text) is None:
        by_comma = [part.strip() for part in text.split(",") if part.strip()]
        if any(terms.find(part) for part in by_comma):
            return by_comma
    return parts


def is_state_word(text: str) -> bool:
    word = text.casefold()
    return word in (*NOT_REPORTED_WORDS, *UNREADABLE_WORDS, *NONE_WORDS) or word in TWO_MEANINGS


def refuse_what_is_no_value(raw: RawValue) -> None:
    """Raises CellError for formulas, errors of Excel, dates and characters that are no text: no
    column holds one.
    """
    if isinstance(raw, ExcelError):
        raise CellError("This is an error of Excel. Write the value itself.")
    if isinstance(raw, Formula) or (isinstance(raw, str) and raw.lstrip().startswith("=")):
        raise CellError("A formula is not read. Write its result as a value.")
    if isinstance(raw, str) and NO_TEXT.search(raw):
        raise CellError("A character here is no text. Type the value again.")
    if isinstance(raw, DATES):
        raise CellError(
            "Excel has made a date or a time of what was typed here. Format the cell as text and "
            "type it again."
        )


def read_none(column: Column, text: str) -> Reading:
    if column.field in NONE_AS_TEXT:
        return Reading(NONE_AS_TEXT[column.field])
    if column.kind in (Kind.TERMS, Kind.PRESENT) and column.completeness:
        return Reading(is_none=True)
    if column.kind == Kind.ABSENT:
        raise CellError(
            "“none” is not an answer here. List what the source says was looked for and not found, "
            "or leave the cell empty."
        )
    raise CellError(
        f"“{text}” is not an answer here. Write NR if the source does not say; leave the cell "
        "empty if nobody has looked or it does not apply."
    )


def choice_spellings(column: Column) -> Spellings[str]:
    labels = dict(column.choices)
    return Spellings(
        [(text, code) for code, label in labels.items() for text in (code, label)],
        [
            (text, code)
            for code, label in labels.items()
            for text in (*SPELLINGS.get(code, ()), *shorter_labels(label), label.partition(":")[0])
        ],
        labels=labels,
        offered=labels,
    )


def yes_or_no(text: str) -> bool:
    word = text.casefold()
    if word in SIGNS or word in ("yes", *SPELLINGS["yes"]):
        return True
    if word in ("no", *SPELLINGS["no"]):
        return False
    raise CellError("This is neither yes nor no.")


# ---- texts ----------------------------------------------------------------


def read_text(column: Column, text: str) -> Reading:
    if isinstance(column.model_field, IdentifierField):
        cleaned = column.model_field.to_python(text)
        return Reading(cleaned, became=cleaned if cleaned != text else "")
    if not isinstance(column.model_field, models.TextField):
        text = " ".join(text.split())
    return Reading(text)


# ---- numbers --------------------------------------------------------------

NUMBER = re.compile(r"([+-]?)(\d+|\d{1,3}(?: \d{3})+)?(?:([.,])(\d+))?")
WITH_UNIT = re.compile(
    r"([+-]?[\d.,  ]*\d)\s*-?\s*"
    r"(d|days?|w|wks?|weeks?|m|mos?|mths?|months?|y|yrs?|years?|a)(?![a-z])\.?",
    re.I,
)
MOST_RECORDS = 32_767  # what the number of a record can be
LONGEST_NUMBER = 60  # characters, with units
UNITS = {"d": "days", "w": "weeks", "m": "months", "y": "years", "a": "years"}
IN_MONTHS = {
    "days": 1 / Decimal(WEEKS_IN_MONTH) / 7,
    "weeks": 1 / Decimal(WEEKS_IN_MONTH),
    "months": Decimal(1),
    "years": Decimal(12),
}


def read_number(column: Column, raw: RawValue, text: str) -> Reading:
    if isinstance(raw, Percentage):
        number = text.removesuffix("%").strip()
        return replace(number_from(column, Decimal(number)), became=number)
    if isinstance(raw, int | float):  # the workbook holds a number: nothing separates thousands
        return number_from(column, Decimal(text))
    text = text.replace("−", "-")
    if len(text) > LONGEST_NUMBER:
        raise CellError("This is no number.")
    if column.unit:
        return read_time(column, text)
    if text.endswith("%") and column.kind == Kind.DECIMAL:
        text = text.removesuffix("%").strip()
    return number_in(column, text)


def read_time(column: Column, text: str) -> Reading:
    """A number in the column's unit; another unit is converted where the column is in months."""
    parts = [(number.strip(), UNITS[unit[0].lower()]) for number, unit in WITH_UNIT.findall(text)]
    if not parts or WITH_UNIT.sub("", text).strip(" ,and"):
        return number_in(column, text)
    if all(unit == column.unit for _, unit in parts) and len(parts) == 1:
        return number_in(column, parts[0][0])
    if column.unit != "months":
        raise CellError(f"This column is in {column.unit}. Write the number of {column.unit}.")
    months = sum(decimal_of(number) * IN_MONTHS[unit] for number, unit in parts)
    step = Decimal(1).scaleb(-column.model_field.decimal_places)
    value = months.quantize(step, ROUND_HALF_UP).normalize() + 0
    in_words = " ".join(f"{number} {unit}" for number, unit in parts)
    return Reading(value, became=f"{value:f} months", from_unit=in_words)


def number_in(column: Column, text: str) -> Reading:
    return number_from(column, decimal_of(text, column.kind == Kind.DECIMAL))


def number_from(column: Column, value: Decimal) -> Reading:
    if column.kind == Kind.DECIMAL:
        return Reading(value)
    if value != value.to_integral_value():
        raise CellError("This column takes whole numbers.")
    if column.model_field is None and not 1 <= value <= MOST_RECORDS:
        raise CellError("Records are numbered 1, 2, 3.")
    return Reading(int(value))


def decimal_of(text: str, takes_fractions: bool = True) -> Decimal:
    """The number a text says, with a decimal point or a decimal comma. Raises CellError."""
    found = NUMBER.fullmatch(text)
    if not found or not (found[2] or found[4]):
        raise CellError(why_no_number(text))
    sign, whole, mark, fraction = found.groups()
    whole = (whole or "0").replace(" ", "")
    if mark and len(fraction) == 3 and len(whole) <= 3 and not whole.startswith("0"):
        decimal = f", or {whole}.{fraction}0" if takes_fractions else ""
        raise CellError(
            f"“{text}” may be {whole}{fraction} or {whole}.{fraction}. Write "
            f"{whole}{fraction}{decimal}."
        )
    return Decimal(f"{sign}{whole}.{fraction or 0}").normalize() + 0


def why_no_number(text: str) -> str:
    if re.fullmatch(r"[+-]?[\d.,' ]+", text) and len(re.findall(r"[.,']", text)) > 1:
        return f"“{text}” has more than one separator. Write it without those of thousands."
    if re.search(r"\d\s*(-|–|to|±|/)\s*\d", text):
        return "This is a range or more than one number. Write one number, and the rest in words."
    if re.match(r"[<>≤≥~≈]|ca\.?\s|about\s", text):
        return "This is no exact number. Write a number only where the source gives one."
    return f"“{text}” is not a number."
