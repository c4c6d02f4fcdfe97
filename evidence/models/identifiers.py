"""Identifiers of publications and trials: their format, and how they are pasted."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from django.core.exceptions import ValidationError
from django.db import models

from .base import DOI, NCT, PMCID, PMID, format_message


@dataclass(frozen=True)
class IdentifierKind:
    """One registry's identifiers. `pasted` finds one, as its first group, in what people paste."""

    name: str
    pattern: str
    example: str
    pasted: str = ""

    @property
    def message(self) -> str:
        return format_message(self.name, self.example)

    def normalise(self, text: str) -> str:
        """The identifier as its registry writes it; what is none stays as it is, but for spaces
        around it.
        """
        text = text.strip()
        found = re.fullmatch(self.pasted, text, re.IGNORECASE) if self.pasted else None
        return found[1] if found else text


class DOIKind(IdentifierKind):
    """In an address a DOI is percent-encoded; at the end of a reference a full stop follows it."""

    def normalise(self, text: str) -> str:
        found = super().normalise(text)
        if not found.startswith("10."):
            return found
        return (unquote(found) if "doi.org/" in text.lower() else found).rstrip(".,;")


class UpperCaseKind(IdentifierKind):
    """Letters and digits without spaces, the letters in upper case."""

    def normalise(self, text: str) -> str:
        found = super().normalise(text)
        written = re.sub(r"\s", "", found).upper()
        return written if re.fullmatch(self.pattern, written) else found


KINDS = {
    "doi": DOIKind(
        "DOI",
        DOI,
        "10.1155/2019/5293981",
        r"(?:(?:https?://)?(?:dx\.|www\.)?doi\.org/|doi[:\s]\s*)+(10\.\S+)",
    ),
    "pmid": IdentifierKind(
        "PMID",
        PMID,
        "31360575",
        r"(?:PMID[:\s]?\s*|(?:https?://)?(?:pubmed\.ncbi\.nlm\.nih\.gov"
        r"|(?:www\.)?ncbi\.nlm\.nih\.gov/pubmed)/)(\d+)[./]?",
    ),
    "pmcid": UpperCaseKind(
        "PMCID",
        PMCID,
        "PMC6652034",
        r"(?:PMCID[:\s]?\s*|(?:https?://)?(?:pmc\.ncbi\.nlm\.nih\.gov"
        r"|(?:www\.)?ncbi\.nlm\.nih\.gov/pmc)/articles/)?(PMC\s?\d+)[./]?",
    ),
    "nct": UpperCaseKind(
        "ClinicalTrials.gov number",
        NCT,
        "NCT03274076",
        r"(?:ClinicalTrials\.gov(?:\s+identifier)?[:\s]\s*"
        r"|(?:https?://)?(?:www\.)?clinicaltrials\.gov/(?:ct2/show|study)/)?(NCT\s?\d+)[./]?",
    ),
}


def normalise_identifiers(values: dict) -> dict:
    """These fields, with identifiers as their registries write them: “https://doi.org/10.…” is
    10.…, “PMID: 3136…” is 3136…, “nct032…” is NCT032….
    """
    return {
        name: KINDS[name].normalise(value) if name in KINDS and isinstance(value, str) else value
        for name, value in values.items()
    }


class IdentifierField(models.CharField):
    """An identifier of one of KINDS, empty where it is not known. What is pasted is understood
    wherever a value is read: by forms, by `full_clean` and by whoever imports.
    """

    def __init__(self, *args, kind: str, **options):
        super().__init__(*args, **options)
        self.kind = kind

    def deconstruct(self):
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs  # to the database it is no more

    def clone(self):
        _, _, args, kwargs = super().deconstruct()
        return type(self)(*args, kind=self.kind, **kwargs)

    def to_python(self, value):
        value = super().to_python(value)
        return KINDS[self.kind].normalise(value) if isinstance(value, str) else value

    def run_validators(self, value):
        if value and not re.fullmatch(KINDS[self.kind].pattern, value):
            raise ValidationError(KINDS[self.kind].message)
        super().run_validators(value)

    def formfield(self, **options):
        # what is pasted is longer than what is stored
        return super().formfield(**({"max_length": None} | options))
