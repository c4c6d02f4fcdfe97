"""Records that no reader may see, planted beside published ones: `python -m soak.planted`.

Each text of them holds a mark that stands nowhere else. Their slugs hold none, so that a request
may name them and an answer may repeat the name.
"""

import json
import os
from pathlib import Path

import django

MARK = "zqh1dd3n"  # stands in every text of every hidden record, and in no request
HIDDEN = "verborgen-2027"  # the slug of hidden studies and patients begins so


def marked(model, **fields) -> dict:
    """`fields`, and the mark in every free text of a model that is not among them."""
    from django.db import models

    bound = {"slug", "doi", "pmid", "pmcid", "nct", "indication_set", "url", "withdrawal_reason"}
    bound |= {"retraction_notice"}
    texts = [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField)
        and not field.choices
        and field.name not in bound
    ]
    return dict.fromkeys(texts, f"{MARK}-{model.__name__}"[:40]) | fields


def plant() -> list[str]:
    """Plants one hidden record of each kind; the texts that must not show besides the mark."""
    from django.contrib.auth.models import Group, User
    from django.utils import timezone

    from evidence.curation import drafts
    from evidence.models import (
        AdverseEvent,
        AdverseEventCategory,
        Collection,
        Door,
        GroupFinding,
        JAKInhibitor,
        Outcome,
        Patient,
        Provenance,
        SecondEntry,
        Study,
        StudyGroup,
        Suggestion,
        Treatment,
    )
    from tests.drafting import beispiel, with_cell
    from tests.factories import make_patient, make_study, make_treatment

    published = Collection.objects.get(slug="published")
    drug = JAKInhibitor.objects.get(slug="itacitinib")
    shown = Study.objects.filter(collection=published, state="published").first()
    for state in ("draft", "withdrawn"):
        retracted = {"retraction_status": "retracted"}
        study = make_study(
            published, f"{HIDDEN}-{state}", state=state, **marked(Study, **retracted)
        )
        for at in (study, shown):
            person = make_patient(
                at, f"{HIDDEN}-{state}-{at.pk}", state=state, **marked(Patient, sex="female")
            )
            course = make_treatment(
                person,
                "itacitinib",
                ["skin"],
                **marked(Treatment, response="improved", adverse_events="events", stopped="yes"),
            )
            Outcome.objects.create(
                treatment=course,
                measure_id="mRSS",
                **marked(Outcome, domain="skin", baseline=20, followup=10, at_months=6),
            )
            kind = AdverseEventCategory.objects.get(code="infection")
            AdverseEvent.objects.create(treatment=course, **marked(AdverseEvent, category=kind))
        group = StudyGroup.objects.create(
            study=study, slug=f"{study.slug}-group", **marked(StudyGroup, inhibitor=drug, n=10)
        )
        GroupFinding.objects.create(
            group=group, number=1, **marked(GroupFinding, kind="events", events=3, n=10)
        )
        Provenance.objects.create(
            study=study,
            number=1,
            group=group,
            **marked(Provenance, field="n", checked_by=f"{MARK}-other"),
        )

    users = [
        User.objects.create_user(
            f"{MARK}-{name}", f"{MARK}.{name}@example.org", f"{MARK} pass {name} 2027!",
            first_name=f"{MARK}-first", last_name=f"{MARK}-last", is_staff=True,
        )
        for name in ("alice", "bob")
    ]  # fmt: skip
    for user in users:
        user.groups.add(*Group.objects.all())
    author = drafts.Author(users[0], door=Door.WORKBENCH)
    draft = drafts.open_draft(published, "beispiel-2027", author)
    document = with_cell(beispiel(collection="published"), "study", "notes", f"{MARK}-draft")
    drafts.save_draft(draft, document, based_on=None, author=author)
    SecondEntry.objects.create(
        draft=draft,
        user=users[1],
        user_name=users[1].username,
        begun_at=timezone.now(),
        content={"beispiel-2027-1 / 1": {"response": f"{MARK}-second-entry"}},
    )
    Suggestion.objects.create(
        collection=published,
        study=shown.slug,
        record="study",
        key=[shown.slug],
        label=f"{MARK}-label",
        current=f"{MARK}-current",
        proposed=f"{MARK}-proposed",
        passage=f"{MARK}-passage",
        contact=f"{MARK}@example.org",
        at=timezone.now(),
    )
    private = Path(os.environ["CASEBOOK_PRIVATE_FILES"])
    private.mkdir(parents=True, exist_ok=True)
    (private / "paper.pdf").write_text(f"%PDF {MARK}-private-file")
    return [user.password.split("$")[-1] for user in users]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evidence.settings")
    django.setup()
    print(json.dumps(plant()))
