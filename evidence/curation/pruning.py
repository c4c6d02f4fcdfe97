"""Removing the archives of old releases. What a release was, and that it was, stays."""

from datetime import datetime

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from ..models import ArchivePart, DataVersion, Release, ReleasedRecords
from .shipped_releases import shipped_releases

KEPT = 10  # the latest releases, whose archives stay
KEPT_DAYS = 5 * 365  # days for which every archive stays, for whoever has just cited it


class CannotPrune(ValueError):
    """Why archives are not removed, for whoever asked for it."""


def archives_to_prune(named: list[int], keep: int, before: datetime) -> list[Release]:
    """The releases whose archives go: the `named` ones; without any, all that are neither shipped
    with Casebook nor among the latest `keep`, and older than `before`.

    Raises CannotPrune for a release that does not exist, is pruned already, or is the latest.
    """
    releases = list(Release.objects.all())
    if not named:
        shipped = {each.identifier for each in shipped_releases()}
        return [
            release
            for release in releases[max(keep, 1) :]
            if not release.is_pruned
            and release.released_at < before
            and release.identifier not in shipped
        ]
    by_number = {release.number: release for release in releases}
    for number in named:
        if number not in by_number:
            raise CannotPrune(f"There is no release {number}.")
        if by_number[number].is_pruned:
            raise CannotPrune(f"The archives of release {number} were removed before.")
        if by_number[number] == releases[0]:
            raise CannotPrune(f"Release {number} is the latest; make another one first.")
    return [by_number[number] for number in dict.fromkeys(named)]


def prune(releases: list[Release], reason: str) -> None:
    """Removes archives and records of releases, all or none. Raises CannotPrune without a
    reason.
    """
    if not reason.strip():
        raise CannotPrune("Readers are told why: say --reason.")
    with transaction.atomic():
        version = DataVersion.objects.select_for_update().get(pk=1)
        for release in releases:
            ArchivePart.objects.filter(archive__release=release).delete()
            ReleasedRecords.objects.filter(release=release).delete()
            release.pruned_at, release.pruned_because = timezone.now(), reason.strip()
            release.save(update_fields=["pruned_at", "pruned_because"])
        if releases:
            version.released(version.release)  # every answer that names one of them is another


def size_of(release: Release) -> int:
    """Bytes of a release's archives, as they were made."""
    return release.collections.aggregate(Sum("size"))["size__sum"] or 0
