"""What a journal has said of a publication since it appeared: corrected, doubted, retracted.

Such a study keeps its page and its patients, and is counted as before unless a question leaves it
out; everywhere it is named, its name says so.
"""

from django.db import models
from django.db.models import Q

from .base import DOI, one_of
from .choices import RetractionStatus
from .constraints import CheckConstraint

NONE_KNOWN = RetractionStatus.NONE_KNOWN
# A notice is named by its DOI or its address.
NOTICE = rf"{DOI}|^https?://\S+$"
HAS_DETAILS = ~Q(retraction_notice="") | ~Q(retraction_reason="")
NO_DETAILS = Q(retraction_date__isnull=True, retraction_notice="", retraction_reason="")


def retraction_status_field() -> models.CharField:
    return models.CharField(
        "retraction",
        max_length=10,
        choices=RetractionStatus.choices,
        default=NONE_KNOWN,
        help_text="What the journal has said of this publication since. Readers see it wherever "
        "the study is named. `manage.py check_retractions` compares with Retraction Watch.",
    )


def retraction_constraints() -> list[CheckConstraint]:
    """What the status and its details have to agree in."""
    return [
        one_of("retraction_status", RetractionStatus),
        CheckConstraint(
            name="study_retraction_says_why",
            condition=Q(retraction_status=NONE_KNOWN) | HAS_DETAILS,
            violation_error_message="A study that was corrected, doubted or retracted needs the "
            "notice (its DOI or address) or the reason.",
        ),
        CheckConstraint(
            name="study_retraction_details_need_status",
            condition=~Q(retraction_status=NONE_KNOWN) | NO_DETAILS,
            violation_error_message="Date, notice and reason belong to a correction, an "
            "expression of concern or a retraction: say which it is, or leave them empty.",
        ),
        CheckConstraint(
            name="study_retraction_notice_format",
            condition=Q(retraction_notice="") | Q(retraction_notice__regex=NOTICE),
            violation_error_message="This is neither a DOI nor an address. Write it like "
            "10.1155/2019/5293981 or https://example.org/notice, or leave it empty.",
        ),
    ]


def notice_link(notice: str) -> str:
    """The address of a notice; empty where there is none."""
    return f"https://doi.org/{notice}" if notice.startswith("10.") else notice
