"""The vocabularies as tables: what a code is called, how sources spell it, and which wider term it
is part of. Reference tables: no study reports their rows, and every bundle has all of them.
"""

from collections.abc import Iterable

from django.db.models import CharField, Value

from ..models import (
    AdverseEventCategory,
    Autoantibody,
    Indication,
    JAKInhibitor,
    Manifestation,
    Measure,
    Therapy,
)
from ..models.choices import Better, Domain
from .column import Codes, Column, Table
from .tables import MEASURED, YES_NO

PARENT = {Manifestation: "parent__code"}  # how a vocabulary's terms lead to wider ones
IN_USE = Column(
    "in_use",
    "In use",
    "in_use",
    "Whether the term is offered for new records; records that have it keep it.",
    labels={code: YES_NO[code] for code in ("yes", "no")},
)
SYNONYMS = Column(
    "synonyms",
    "Synonyms",
    "synonyms",
    "Other spellings that are understood as this, separated by semicolons.",
    tells_missing=False,
)


def of_everything(model):
    """All rows of a reference table, whatever is asked."""
    return lambda question: model.objects.all()


def vocabulary_table(model, noun: str, title: str, more: Iterable[Column] = ()) -> Table:
    """The terms of one vocabulary; `more` are columns that this one alone has."""
    path = PARENT.get(model)
    return Table(
        noun=f"vocabulary-{noun}",
        title=title,
        unit="terms",
        records=of_everything(model),
        extraction="",
        order=["code"],
        columns=[
            Column("code", "Code", "code", "The code in files and addresses."),
            Column("label", "Label", "label", "What people call it."),
            Column(
                "parent",
                "Part of",
                path or (lambda: Value(None, output_field=CharField())),
                "The wider term it is part of: whoever has this one has that one too.",
                codes=Codes("a code of the same table"),
                tells_missing=False,
            ),
            SYNONYMS,
            Column(
                "description",
                "Description",
                "description",
                "What it means, where a curator has said so.",
                tells_missing=False,
            ),
            IN_USE,
            *more,
        ],
    )


def own_column(name: str, label: str, meaning: str, **changes) -> Column:
    """A column that is read from the field of its name, and may be empty."""
    return Column(name, label, name, meaning, tells_missing=False, **changes)


MEASURE_COLUMNS = [
    own_column(
        "domain", "Domain", "The one organ domain it belongs to.", labels=dict(Domain.choices)
    ),
    own_column("unit", "Unit", "The unit of its values."),
    own_column("low", "Lowest value", "As the instrument defines it.", numeric=True, unit=MEASURED),
    own_column(
        "high", "Highest value", "As the instrument defines it.", numeric=True, unit=MEASURED
    ),
    own_column(
        "better", "Better", "Which way it goes as a patient does better.",
        labels=dict(Better.choices),
    ),
    own_column(
        "standard",
        "Standard",
        "Whether it is an instrument that many sources use, or words of one source.",
        labels={code: YES_NO[code] for code in ("yes", "no")},
    ),
]  # fmt: skip

DRUGS = Table(
    noun="drugs",
    title="JAK inhibitors",
    unit="drugs",
    records=of_everything(JAKInhibitor),
    extraction="",
    order=["slug"],
    columns=[
        Column(
            "inhibitor",
            "JAK inhibitor",
            "slug",
            "The drug's slug, as other tables and addresses have it.",
        ),
        Column("name", "Name", "name", "Its name."),
        own_column("brand", "Brand", "Brand names, separated by slashes."),
        SYNONYMS,
        own_column(
            "atc",
            "ATC code",
            "Code in the Anatomical Therapeutic Chemical classification, where there is one.",
            definition="WHO Collaborating Centre for Drug Statistics Methodology",
        ),
        own_column("targets", "Targets", "The kinases it inhibits, separated by commas."),
        own_column(
            "fda_first_approval",
            "First FDA approval",
            "Year of the first approval in the United States, for whatever disease.",
            numeric=True,
            whole=True,
            unit="calendar year",
        ),
        own_column(
            "ema_first_approval",
            "First EMA approval",
            "Year of the first approval in the European Union, for whatever disease.",
            numeric=True,
            whole=True,
            unit="calendar year",
        ),
        own_column(
            "fda_boxed_warning",
            "FDA boxed warning",
            "Whether its US label has a boxed warning.",
            labels={code: YES_NO[code] for code in ("yes", "no")},
        ),
        IN_USE,
    ],
)

VOCABULARIES = {
    table.noun: table
    for table in (
        vocabulary_table(Indication, "indications", "Indications"),
        vocabulary_table(Manifestation, "manifestations", "Manifestations"),
        vocabulary_table(Autoantibody, "autoantibodies", "Autoantibodies"),
        vocabulary_table(Therapy, "therapies", "Therapies"),
        vocabulary_table(AdverseEventCategory, "adverse-events", "Categories of adverse events"),
        vocabulary_table(Measure, "measures", "Measures", MEASURE_COLUMNS),
    )
}
