"""One person in several reports: which reports are of one person, and which of them counts.

`Patient.same_as` leads from one report to another of the same person. Readers may see neither,
either or both, and what curators enter may form chains and circles. Whatever it forms, a person of
whom readers see a report counts once.
"""

from functools import cache

from django.db.models import F, Model
from django.db.models.expressions import RawSQL

# All reports of a person, pair by pair; a person's only report is in no pair. `said` are the links
# as entered, within one collection, because numbers never cross from one into another; `shown` are
# the linked reports readers may see.
REPORTS = """
WITH RECURSIVE said (report, other) AS ({said}),
near (report, other) AS (SELECT report, other FROM said UNION SELECT other, report FROM said),
person (report, other) AS (
    SELECT report, report FROM near
    UNION SELECT person.report, near.other FROM person JOIN near ON near.report = person.other
),
shown (id) AS ({shown})
"""

# Of the reports of a person that readers may see, the first counts: one a question can reach, since
# it has a treatment, before one without; then the one the links lead to, then one whose other
# report readers do not see, then the rest.
COUNTED_ELSEWHERE = """,
placed (report, place) AS (
    SELECT one.report, ROW_NUMBER() OVER (
        PARTITION BY one.person
        ORDER BY
            CASE WHEN EXISTS (SELECT 1 FROM evidence_treatment WHERE patient_id = one.report) THEN 0 ELSE 1 END,
            CASE WHEN one.report NOT IN (SELECT report FROM said) THEN 0
                WHEN one.report NOT IN (SELECT report FROM said WHERE other IN (SELECT id FROM shown)) THEN 1
                ELSE 2 END,
            one.report
    )
    FROM (SELECT report, MIN(other) AS person FROM person GROUP BY report) one
    WHERE one.report IN (SELECT id FROM shown)
)
SELECT report FROM placed WHERE place > 1
"""  # noqa: E501

OF_ONE_PERSON = "SELECT other FROM person WHERE report = %s"


@cache
def reports_sql(patients: type[Model]) -> tuple[str, tuple]:
    """`REPORTS` with its parameters; made once, as compiling a query costs more than running it."""
    # by the index, which "is not null" would not use
    linked = patients.objects.filter(same_as__gt=0)
    same_collection = linked.filter(study__collection=F("same_as__study__collection")).order_by()
    links_sql, links_params = same_collection.values_list("pk", "same_as").query.sql_with_params()
    near_reports = RawSQL("SELECT report FROM near", [])
    published = patients.objects.published().filter(pk__in=near_reports).order_by()
    published_sql, published_params = published.values("pk").query.sql_with_params()
    return REPORTS.format(said=links_sql, shown=published_sql), (*links_params, *published_params)


def counted_elsewhere(patients: type[Model]) -> RawSQL:
    """Primary keys of published reports of people for whom another published report counts."""
    sql, params = reports_sql(patients)
    return RawSQL(sql + COUNTED_ELSEWHERE, params)  # noqa: S611 (nothing of it comes from outside)


def reports_of(patient: Model) -> RawSQL:
    """Primary keys of all reports of this person, this one included if there are others."""
    sql, params = reports_sql(type(patient))
    return RawSQL(sql + OF_ONE_PERSON, (*params, patient.pk))  # noqa: S611 (as above)
