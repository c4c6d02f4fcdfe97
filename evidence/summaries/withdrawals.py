"""What readers are told of a record that has been withdrawn: why, and where to go on."""

from dataclasses import dataclass

from ..models import Collection, Patient, Study


@dataclass(frozen=True)
class Withdrawal:
    """One withdrawn record, as readers are told of it."""

    noun: str
    slug: str
    sentence: str
    reason: str
    successor: Patient | Study | None


def withdrawals_of(
    collection: Collection, model: type[Patient | Study], slug: str
) -> list[Withdrawal]:
    """Why the record of this slug, which readers saw, is gone: withdrawn by itself, with its study,
    or both. Nothing where there is no such record.
    """
    records = model.objects.withdrawn_within(collection).filter(slug=slug)
    record = records.select_related("replaced_by").first()
    if record is None:
        return []
    withdrawals = []
    if record.is_withdrawn:
        withdrawals.append(withdrawal_of(record))
    if isinstance(record, Patient) and record.study.is_withdrawn:
        withdrawals.append(withdrawal_of(record.study, ", in which this patient is reported,"))
    return withdrawals


def withdrawal_of(record: Patient | Study, role: str = "") -> Withdrawal:
    noun = record._meta.verbose_name
    return Withdrawal(
        noun,
        record.slug,
        f"The {noun} {record.slug}{role} was withdrawn.",
        record.withdrawal_reason,
        record.successor(),
    )
