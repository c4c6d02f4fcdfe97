"""Codes that other ontologies have for our terms, each with the release and the copy it was read
in.
"""

from dataclasses import dataclass

from django.db import models
from django.db.models import Q

from .base import Keyed, KeyedQuerySet, one_of
from .choices import DiseaseTerm
from .constraints import CheckConstraint, UniqueConstraint
from .history import ChangeHistory
from .reference import AdverseEventCategory, Autoantibody, Indication, Manifestation

# What a code can stand for: terms of our vocabularies, or the disease and its subsets, which are
# no vocabulary but choices.
TERMS = ("indication", "manifestation", "autoantibody", "adverse_event_category")
SUBJECTS = (*TERMS, "disease")


@dataclass(frozen=True)
class Ontology:
    """An ontology whose codes are taken over: by the prefix of its codes."""

    prefix: str
    name: str
    url: str
    iri_prefix: str


ONTOLOGIES = {
    ontology.prefix: ontology
    for ontology in (
        Ontology(
            "HP",
            "Human Phenotype Ontology",
            "http://purl.obolibrary.org/obo/hp.owl",
            "http://purl.obolibrary.org/obo/HP_",
        ),
        Ontology(
            "MONDO",
            "Mondo Disease Ontology",
            "http://purl.obolibrary.org/obo/mondo.owl",
            "http://purl.obolibrary.org/obo/MONDO_",
        ),
    )
}
CODE = rf"^({'|'.join(ONTOLOGIES)}):\d{{7}}$"
RELEASE = r"^\d{4}-\d{2}-\d{2}$"  # both name their releases by the day
ADDRESS = r"^https://\S+$"


def exactly_one_subject() -> Q:
    """A condition: one of SUBJECTS is set, and no other."""
    condition = Q()
    for subject in SUBJECTS:
        others = Q(**{f"{name}__isnull": name != subject for name in TERMS})
        named = ~Q(disease="") if subject == "disease" else Q(disease="")
        condition |= others & named
    return condition


def term_field(model: type[models.Model]) -> models.ForeignKey:
    """The field of a code that names a term of a vocabulary; a code goes with its term."""
    return models.ForeignKey(
        model, null=True, blank=True, on_delete=models.CASCADE, related_name="ontology_codes"
    )


def in_words_of_registry(field: str, pattern: str, message: str) -> CheckConstraint:
    """A text that cannot be left out has this format."""
    return CheckConstraint(
        name=f"ontologycode_{field}_format",
        condition=Q(**{f"{field}__regex": pattern}),
        violation_error_message=message,
    )


class OntologyCode(Keyed):
    """The code of one term in an ontology of others, as a copy of one release of it has it.

    There is no code without the release and the copy it was read in, so that nobody enters one from
    memory; a term without one is a term of our own.
    """

    KEY = (*(f"{name}__code" for name in TERMS), "disease")

    indication = term_field(Indication)
    manifestation = term_field(Manifestation)
    autoantibody = term_field(Autoantibody)
    adverse_event_category = term_field(AdverseEventCategory)
    disease = models.CharField(
        "disease or subset",
        max_length=20,
        choices=DiseaseTerm.choices,
        blank=True,
        help_text="Systemic sclerosis or one of its subsets, where the code stands for these.",
    )
    code = models.CharField(
        max_length=16, help_text="HP or MONDO with seven digits, such as HP:0000001."
    )
    label = models.CharField(max_length=200, help_text="The ontology’s own label of the code.")
    release = models.CharField(
        max_length=10, help_text="The release of the ontology that was read, such as 2023-07-21."
    )
    source = models.CharField(
        max_length=300,
        help_text="The address of the copy that was read: a file of the ontology’s own repository "
        "at one commit.",
    )
    note = models.TextField(
        blank=True, help_text="What the copy says besides, such as a synonym that decides."
    )

    objects = KeyedQuerySet.as_manager()
    history = ChangeHistory()

    class Meta:
        ordering = ["code", "pk"]
        constraints = [
            CheckConstraint(
                name="ontologycode_one_term",
                condition=exactly_one_subject(),
                violation_error_message="A code stands for exactly one term.",
            ),
            *(
                UniqueConstraint(
                    fields=[subject],
                    name=f"ontologycode_once_per_{subject}",
                    condition=~Q(disease="") if subject == "disease" else None,
                    violation_error_message="This term has a code already.",
                )
                for subject in SUBJECTS
            ),
            one_of("disease", DiseaseTerm, blank=True),
            in_words_of_registry(
                "code", CODE, "Write the code as its ontology does, such as HP:0000001."
            ),
            in_words_of_registry(
                "release", RELEASE, "Write the release by its day, such as 2023-07-21."
            ),
            in_words_of_registry(
                "source", ADDRESS, "Give the address of the copy that was read: https://…."
            ),
            CheckConstraint(
                name="ontologycode_has_label",
                condition=~Q(label=""),
                violation_error_message="Give the label the ontology has for the code.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.label}"

    def natural_key(self) -> tuple:
        terms = (getattr(self, name) for name in TERMS)
        return (*(term and term.code for term in terms), self.disease)

    @property
    def subject_name(self) -> str:
        """Which of SUBJECTS the code stands for."""
        named = (name for name in TERMS if getattr(self, f"{name}_id") is not None)
        return next(named, "disease")

    @property
    def subject_label(self) -> str:
        """What the code stands for, in words: manifestation, disease or subset."""
        return self._meta.get_field(self.subject_name).verbose_name

    @property
    def term_code(self) -> str:
        """Casebook's own code of the term."""
        term = getattr(self, self.subject_name)
        return term if self.subject_name == "disease" else term.code

    @property
    def term_label(self) -> str:
        """Casebook's own label of the term."""
        if self.subject_name == "disease":
            return DiseaseTerm(self.disease).label
        return str(getattr(self, self.subject_name))

    @property
    def ontology(self) -> Ontology:
        return ONTOLOGIES[self.code.partition(":")[0]]

    @property
    def iri(self) -> str:
        """The address the ontology gives its term."""
        return self.ontology.iri_prefix + self.code.partition(":")[2]
