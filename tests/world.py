"""One small universe, small enough to count by hand. Indications, prior therapies and events are
listed completely; manifestations and autoantibodies are not, where nothing else is said.

collection `world`
  alpha (2020, case series, read in full)
    alpha-1  F 40  diffuse  anti-Scl-70 +, ANA -   ILD +, renal -   prior: methotrexate             DLCO 61.5 %
             (manifestations: complete)
             1 tofacitinib  ILD + skin       improved   relapsed no    events: infection, infection
    alpha-2  M 60  limited                         skin +           prior: none, as stated          DLCO 85 %
             1 tofacitinib  skin             worsened   relapsed ?     no adverse event, as stated
             2 baricitinib  ILD              improved   relapsed ?     adverse events ?
    alpha-3  F ?   ?                               ILD +, skin +    prior: methotrexate, prednisone
             1 tofacitinib  GI + ILD + skin  stable     relapsed yes   events: hepatitis (grade 3, serious)
    alpha-4  ? ?   ?       nothing is known
             1 tofacitinib  ?                ?          ?              ?
    alpha-5  a draft: readers never see it
  beta (2022, case report, only the abstract read)
    beta-1   F 25  ?                               skin +, ILD -    prior: ?
             1 baricitinib  skin             not improved              events reported, none listed
             outcomes: skin improved, skin stable, joints ?
    beta-2   the same person as alpha-1: never counted
  gamma (a draft study)
    gamma-1  readers never see it
  groups: alpha/treated (tofacitinib, ILD + skin, n 10), alpha/control (n 8), beta/mixed (several, n not known)
"""  # noqa: E501

from dataclasses import dataclass, field

from evidence.models import Collection

from . import plain
from .factories import make_collection, make_group, make_patient, make_study, make_treatment


@dataclass
class World:
    collection: Collection
    read: dict = field(default_factory=dict, repr=False)

    def records(self, collection) -> list[plain.Course]:
        """A collection's courses in memory, read once per test."""
        if collection.slug not in self.read:
            self.read[collection.slug] = plain.all_courses(collection)
        return self.read[collection.slug]

    def address(self, noun: str = "") -> str:
        return f"/{self.collection.slug}/{noun}"


def draw_world() -> World:
    collection = make_collection("world")
    alpha = make_study(collection, "alpha", year=2020)
    beta = make_study(collection, "beta", year=2022, extraction="abstract", design="case_report")
    gamma = make_study(collection, "gamma", state="draft")

    one = make_patient(
        alpha,
        "alpha-1",
        sex="female",
        age_years=40,
        dlco_percent="61.5",
        subset="diffuse",
        antibodies=["anti-scl-70"],
        antibodies_absent=["ana"],
        present=["ild"],
        absent=["renal"],
        manifestations_completeness="complete",
        prior=["methotrexate"],
    )
    twice = [("infection", {}), ("infection", {})]
    make_treatment(
        one, indications=["ild", "skin"], response="improved", relapsed="no", events=twice
    )

    limited = {"sex": "male", "age_years": 60, "subset": "limited", "dlco_percent": 85}
    two = make_patient(alpha, "alpha-2", **limited, present=["skin"], prior=[])
    make_treatment(two, indications=["skin"], response="worsened", adverse_events="explicitly_none")
    make_treatment(two, "baricitinib", indications=["ild"], response="improved")

    three = make_patient(
        alpha,
        "alpha-3",
        sex="female",
        present=["ild", "skin"],
        prior=["methotrexate", "prednisone"],
    )
    hepatitis = [("hepatitis", {"grade": 3, "serious": "yes"})]
    make_treatment(
        three,
        indications=["gi", "ild", "skin"],
        response="stable",
        relapsed="yes",
        events=hepatitis,
    )

    make_treatment(make_patient(alpha, "alpha-4"))
    make_treatment(
        make_patient(alpha, "alpha-5", state="draft", sex="female"), indications=["ild", "skin"]
    )

    lone = make_patient(
        beta, "beta-1", sex="female", age_years=25, present=["skin"], absent=["ild"]
    )
    make_treatment(
        lone,
        "baricitinib",
        indications=["skin"],
        response="not_improved",
        adverse_events="events",
        outcomes=[("skin", "improved"), ("skin", "stable"), ("joints", "unknown")],
    )
    again = make_patient(beta, "beta-2", sex="female", age_years=40, same_as=one)
    make_treatment(again, indications=["ild", "skin"], response="improved")
    make_treatment(make_patient(gamma, "gamma-1", sex="female"), indications=["ild", "skin"])

    make_group(alpha, "treated", indications=["ild", "skin"], n=10)
    make_group(alpha, "control", inhibitor=None, n=8)
    make_group(beta, "mixed", inhibitor=None, mixed_inhibitors=True)
    return World(collection)
