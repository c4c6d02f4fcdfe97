"""The drug reference: what happened under each drug, collection by collection."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evidence.models import JAKInhibitor

from .factories import make_collection, make_group, make_patient, make_study, make_treatment
from .test_pages import text_of

pytestmark = pytest.mark.django_db
SIMULATED = "/sener-2025-reconstruction/"


@pytest.fixture(autouse=True)
def every_answer_made_anew(settings):
    """So that each has its context."""
    settings.CACHE_RESPONSES = False


def found(page, slug: str):
    (linked,) = [
        each
        for each in [*page.context["results"], *page.context["simulated"]]
        if each.found.count.collection.slug == slug
    ]
    return linked


@pytest.mark.parametrize("drug", ["tofacitinib", "baricitinib", "filgotinib"])
def test_shares_are_those_of_the_overview_filtered_by_the_drug(client, published, drug):
    page = client.get(f"/inhibitors/{drug}/")
    for linked in [*page.context["results"], *page.context["simulated"]]:
        address = linked.found.count.collection.get_absolute_url()
        overview = client.get(f"{address}?inhibitor={drug}")
        assert [each.share for each in linked.domains] == [
            each.share for each in overview.context["domains"]
        ]
        shown = {each.share.key: each for each in overview.context["headlines"]}
        for each in linked.headlines:
            if each.share.key in shown:
                assert each == shown[each.share.key]
            else:  # of few patients the overview tells in a sentence what is known of nobody
                assert not each.share.known
        assert linked.found.groups == overview.context["group_evidence"]
        assert f'href="{address}?inhibitor={drug}"' in page.content.decode()


def test_by_hand(client, world):
    linked = found(client.get("/inhibitors/tofacitinib/"), "world")
    shares = {each.share.key: str(each.share.fraction) for each in linked.headlines}
    # alpha-1 improved, alpha-2 worsened, alpha-3 stable; of alpha-4 nothing is known
    assert shares == {
        "improved": "1/3",
        "relapsed": "1/2",
        "any_adverse_event": "2/3",
        "serious": "1/2",
    }
    assert [group.slug for group in linked.found.groups.groups] == ["treated", "control"]
    assert linked.found.extent == "4 individual patients"


def test_simulated_records_stand_in_a_card_of_their_own_below(client, published):
    page = client.get("/inhibitors/tofacitinib/")
    body = page.content.decode()
    real, mark, simulated = body.partition('<div class="card simulated">')
    assert mark and "57/65" in simulated and "57/65" not in real
    assert "Karalilova 2021" in real and "SIMULATED" not in real.upper().partition("<MAIN")[2]
    assert "Simulated records. Simulated: reproduces published totals only" in text_of(page)


def test_a_drug_without_published_evidence_says_so(client, published):
    text = text_of(client.get("/inhibitors/upadacitinib/"))
    assert "No published evidence on it in systemic sclerosis is loaded." in text
    assert "Rinvoq" in text


def test_the_list_takes_the_same_queries_for_one_drug_and_for_many(client, published):
    counts = []
    for named in (False, True):
        JAKInhibitor.objects.exclude(slug="tofacitinib").update(named=named)
        client.get("/inhibitors/")
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            page = client.get("/inhibitors/")
        assert len(page.context["evidence"]) == (JAKInhibitor.objects.count() if named else 1)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_drug_takes_the_same_queries_however_much_is_known_of_it(client, db):
    counts = []
    for drug, times in (("ruxolitinib", 1), ("upadacitinib", 30)):
        study = make_study(make_collection(f"on-{drug}"))
        for _ in range(times):
            make_treatment(make_patient(study), drug, outcomes=[("skin", "improved")])
            finding = {"kind": "mean_change", "measure": "mRSS", "change": -3}
            make_group(study, inhibitor=drug, findings=[finding])
        client.get(f"/inhibitors/{drug}/")
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/inhibitors/{drug}/")
        counts.append(len(queries))
    assert counts[0] == counts[1]
