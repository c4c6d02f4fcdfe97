"""Reference tables: drugs, and the short vocabularies records are coded with."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, ProtectedError, Q
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from .base import ATC, in_format, range_constraint, slug_format
from .constraints import CheckConstraint
from .history import ChangeHistory
from .spellings import Spelled, in_use_field, synonyms_field


class JAKInhibitor(Spelled):
    """A Janus kinase inhibitor, with facts about the drug itself (not about its use in systemic
    sclerosis).
    """

    KEY = ("slug",)
    NAMES = ("slug", "name")

    slug = models.SlugField(unique=True, validators=[slug_format])
    name = models.CharField(max_length=80, unique=True)
    named = models.BooleanField(
        default=True, help_text="Off for the placeholder “other or not named”."
    )
    brand = models.CharField(
        max_length=80, blank=True, help_text="Several are separated by a slash."
    )
    synonyms = synonyms_field()
    in_use = in_use_field()
    manufacturer = models.CharField(max_length=120, blank=True)
    atc = models.CharField("ATC code", max_length=7, blank=True)
    targets = models.CharField(
        max_length=80, blank=True, help_text="Kinases, separated by commas: JAK1, JAK2."
    )
    fda_first_approval = models.PositiveSmallIntegerField(
        "first FDA approval (year)", null=True, blank=True
    )
    ema_first_approval = models.PositiveSmallIntegerField(
        "first EMA approval (year)", null=True, blank=True
    )
    fda_boxed_warning = models.BooleanField(
        "FDA boxed warning", null=True, blank=True, help_text="Empty: not known."
    )
    boxed_warning_topics = models.TextField(blank=True)

    history = ChangeHistory()

    class Meta:
        ordering = ["name"]
        verbose_name = "JAK inhibitor"
        constraints = [
            in_format("atc", ATC, "L04AF01"),
            range_constraint(
                "fda_first_approval", 2000, 2100, "The year of approval is between 2000 and 2100."
            ),
            range_constraint(
                "ema_first_approval", 2000, 2100, "The year of approval is between 2000 and 2100."
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def own_names(self) -> dict[str, list[str]]:
        return super().own_names() | {"brand": self.brand.split("/")}


class Term(Spelled):
    """One entry of a short vocabulary: a code used in addresses and files, and a label for
    people.
    """

    KEY = ("code",)

    code = models.SlugField(unique=True, validators=[slug_format])
    label = models.CharField(max_length=120, unique=True)
    synonyms = synonyms_field()
    description = models.TextField(blank=True)
    in_use = in_use_field()
    position = models.PositiveSmallIntegerField(
        default=0, help_text="Order in lists; equal numbers go by label."
    )

    history = ChangeHistory(inherit=True)

    class Meta:
        abstract = True
        ordering = ["position", "label"]

    def __str__(self) -> str:
        return self.label

    def uses(self) -> list[models.Model]:
        """Records that are coded with this term through a plain list, which deletion would silently
        shorten.
        """
        relations = [
            relation
            for relation in self._meta.related_objects
            if relation.many_to_many and relation.through._meta.auto_created
        ]
        return [
            record
            for relation in relations
            for record in getattr(self, relation.get_accessor_name()).all()
        ]


@receiver(pre_delete)
def terms_in_use_stay(sender, instance, **kwargs):
    """A term that records are coded with cannot be deleted: an indication would vanish from its
    treatments unseen.
    """
    if isinstance(instance, Term) and (uses := instance.uses()):
        raise ProtectedError(f"{instance} is in use by {len(uses)} records.", set(uses))


class Indication(Term):
    """What a treatment was given for."""

    class Meta(Term.Meta):
        pass


class Manifestation(Term):
    """An organ involvement or sign a patient has, or was found not to have."""

    parent = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="children",
        help_text="The wider term: whoever has this one has that one too, and whoever lacks that "
        "one lacks this one.",
    )

    class Meta(Term.Meta):
        constraints = [
            CheckConstraint(
                name="manifestation_not_under_itself",
                condition=Q(parent__isnull=True) | ~Q(parent=F("pk")),
                violation_error_message="A term cannot be part of itself.",
            ),
        ]

    def clean(self):
        super().clean()
        if (
            self.pk
            and self.parent
            and self.pk in (self.parent.pk, *(term.pk for term in self.parent.wider()))
        ):
            raise ValidationError({"parent": f"“{self.parent}” is itself part of “{self}”."})

    def wider(self) -> "list[Manifestation]":
        """The terms this one is part of, the nearest first; each once, even if they stood in a
        circle.
        """
        wider_terms, term = [], self.parent
        while term is not None and term not in wider_terms:
            wider_terms.append(term)
            term = term.parent
        return wider_terms


class AdverseEventCategory(Term):
    """The category an adverse event is counted in."""

    class Meta(Term.Meta):
        verbose_name_plural = "adverse event categories"


class Autoantibody(Term):
    """An autoantibody a patient was tested for."""

    class Meta(Term.Meta):
        verbose_name_plural = "autoantibodies"


class Therapy(Term):
    """Another drug: given before a JAK inhibitor, or along with it."""

    class Meta(Term.Meta):
        verbose_name_plural = "therapies"
