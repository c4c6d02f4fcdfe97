"""Questions as plain values, and what they answer of one course; nothing here asks the database."""

from itertools import product

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from evidence.models import Collection
from evidence.models.choices import Match
from evidence.questions.question import FilterLink, MatchedSet, Question
from evidence.questions.request_checks import accept_params, head_response
from evidence.questions.three_answers import ThreeAnswers, all_of, any_of, item_answer, list_answer

WORLD, OTHER = Collection(pk=1, slug="world"), Collection(pk=2, slug="other")
FEMALE, ILD = ("sex", ("female",)), ("indication", MatchedSet(("ild",)))


def asked(*parts) -> Question:
    return Question(WORLD, parts)


# Yes, no, open. Courses are the bits of a number, so that all combinations are asked at once.


def bits(found) -> int:
    return sum(1 << place for place, is_so in enumerate(found) if is_so)


def told(answers: ThreeAnswers, size: int) -> list[str]:
    """Each course's answer."""
    found = []
    for place in range(size):
        is_yes, is_no = (bool(each >> place & 1) for each in (answers.yes, answers.no))
        assert not (is_yes and is_no), "nothing is both"
        found.append("yes" if is_yes else "no" if is_no else "open")
    return found


COMBINATIONS = list(product(("yes", "no", "open"), repeat=3))
COLUMNS = [
    ThreeAnswers(bits(each == "yes" for each in column), bits(each == "no" for each in column))
    for column in zip(*COMBINATIONS, strict=True)
]


def settled_in_all_ways(combination, verdict) -> str:
    """The verdict on every way in which what is open may turn out."""
    ways = product(*([True, False] if each == "open" else [each == "yes"] for each in combination))
    verdicts = {verdict(way) for way in ways}
    return "open" if len(verdicts) == 2 else "yes" if verdicts == {True} else "no"


@pytest.mark.parametrize(
    ("together", "verdict"),
    [(all_of, all), (any_of, any)],
    ids=["all", "any"],
)
def test_parts_together_are_settled_where_what_is_open_cannot_matter(together, verdict):
    expected = [settled_in_all_ways(each, verdict) for each in COMBINATIONS]
    assert told(together(COLUMNS), len(COMBINATIONS)) == expected


def test_the_opposite_of_open_is_open():
    expected = [{"yes": "no", "no": "yes", "open": "open"}[first] for first, *_ in COMBINATIONS]
    assert told(~COLUMNS[0], len(COMBINATIONS)) == expected


def test_settled_is_whatever_is_not_open():
    assert COLUMNS[0].settled == bits(first != "open" for first, *_ in COMBINATIONS)


TERMS = "abc"  # a and b are asked for, c is something else
LISTS = list(product(*[("on the list", "looked for, absent", "not said")] * 3, (True, False)))


class PlainLists:
    """Every list there can be of three terms, whole or not, as the facts an engine has of them."""

    whole = bits(whole for *_, whole in LISTS)

    def present(self, code):
        return bits(each[TERMS.index(code)] == "on the list" for each in LISTS)

    def absent(self, code):
        return bits(each[TERMS.index(code)] == "looked for, absent" for each in LISTS)

    def others(self, codes):
        found = 0
        for code in set(TERMS) - set(codes):
            found |= self.present(code)
        return found


def completions(listed):
    """Every set of terms that a list may turn out to be; `d` is one nobody thought of."""
    *terms, whole = listed
    either = [False] if whole else [True, False]
    has_it = {"on the list": [True], "looked for, absent": [False], "not said": either}
    for way in product(*(has_it[how] for how in (*terms, "not said"))):
        yield {code for code, has in zip("abcd", way, strict=True) if has}


MEANINGS = {
    Match.ANY: lambda found, codes: bool(found & codes),
    Match.ALL: lambda found, codes: codes <= found,
    Match.EXACTLY: lambda found, codes: found == codes,
    Match.NONE: lambda found, codes: not found & codes,
}


@pytest.mark.parametrize("match", MEANINGS)
@pytest.mark.parametrize("codes", ["a", "ab"])
def test_a_list_answers_what_holds_however_it_would_be_completed(match, codes):
    expected = []
    for listed in LISTS:
        verdicts = {MEANINGS[match](found, set(codes)) for found in completions(listed)}
        expected.append("open" if len(verdicts) == 2 else "yes" if verdicts == {True} else "no")
    assert told(list_answer(codes, match, PlainLists()), len(LISTS)) == expected


def test_what_is_on_a_list_is_there_even_if_a_wider_term_is_said_to_be_absent():
    class Contradicting(PlainLists):
        def absent(self, code):
            return bits(True for _ in LISTS)

    facts = Contradicting()
    answer = item_answer("a", facts)
    assert answer.yes == facts.present("a")
    assert set(told(answer, len(LISTS))) == {"yes", "no"}


# Addresses


@pytest.mark.parametrize(
    ("parts", "view", "query"),
    [
        ((), {}, ""),
        ((FEMALE,), {}, "sex=female"),
        ((("sex", ("female", "male")),), {}, "sex=female&sex=male"),
        ((("age_min", 40), FEMALE), {}, "age_min=40&sex=female"),
        ((ILD,), {}, "indication=ild"),
        (
            (("indication", MatchedSet(("gi", "ild"), "none")),),
            {},
            "indication=gi&indication=ild&indication_match=none",
        ),
        ((FEMALE,), {"sort": "-age", "release": ""}, "sex=female&sort=-age"),
        ((), {"chart": ["a", "", "b"], "sort": "age"}, "chart=a&chart=b&sort=age"),
    ],
)
def test_a_question_as_an_address(parts, view, query):
    assert asked(*parts).query(**view) == query


def test_the_page_of_a_question():
    assert asked().page == "/world/"
    assert asked(FEMALE, ILD).page == "/world/?sex=female&indication=ild"


def test_equal_questions_are_one():
    assert asked(FEMALE) == asked(FEMALE) and hash(asked(FEMALE)) == hash(asked(FEMALE))
    unlike = [asked(), asked(FEMALE), asked(ILD), asked(FEMALE, ILD), Question(OTHER, (FEMALE,))]
    assert len({*unlike, asked(FEMALE)}) == len(unlike) == len({hash(each) for each in unlike})


def test_parts_are_looked_up_taken_and_replaced():
    both = asked(FEMALE, ILD)
    assert "sex" in both and "age_min" not in both and list(both) == [FEMALE, ILD]
    assert both.value("sex") == ("female",) and both.value("age_min") is None
    assert both.value("age_min", 18) == 18
    assert both.without("sex") == asked(ILD) and both.without("age_min") == both
    assert both.without("sex", "indication") == asked()
    assert both.only("sex") == asked(FEMALE) and both.only("sex", "indication") == both
    assert both.with_part("sex", ("male",)) == asked(ILD, ("sex", ("male",)))
    assert asked(), "a question without parts asks for everybody"


def test_codes_of_a_set_have_one_order():
    found = MatchedSet.of({"skin", "gi", "ild"}, Match.ALL)
    assert found == MatchedSet(("gi", "ild", "skin"), "all")
    assert MatchedSet(("ild",), "all").with_code("gi") == MatchedSet(("gi", "ild"), "all")
    assert MatchedSet(("ild",), "all").with_code("ild") == MatchedSet(("ild",), "all")


# What choosing a mark asks


def test_choosing_adds_and_choosing_again_takes_back():
    assert asked(ILD).toggle(sex=("female",)) == FilterLink(asked(ILD, FEMALE), chosen=False)
    assert asked(ILD, FEMALE).toggle(sex=("female",)) == FilterLink(asked(ILD), chosen=True)
    men = asked(ILD, ("sex", ("male",)))
    assert asked(FEMALE, ILD).toggle(sex=("male",)) == FilterLink(men, chosen=False)


def test_a_mark_of_two_parts_is_chosen_where_both_are_asked():
    forties = {"age_min": 40, "age_max": 49}
    parts = tuple(forties.items())
    women_in_their_forties = FilterLink(asked(FEMALE, *parts), chosen=False)
    assert asked(FEMALE).toggle(**forties) == women_in_their_forties
    assert asked(parts[0], FEMALE).toggle(**forties) == women_in_their_forties
    assert asked(*parts, FEMALE).toggle(**forties) == FilterLink(asked(FEMALE), chosen=True)


@pytest.mark.parametrize("match", ["any", "all", "exactly"])
def test_a_combination_replaces_what_was_asked_of_its_set(match):
    before = asked(("indication", MatchedSet(("gi", "skin"), match)))
    part = ("indication", MatchedSet(("ild", "skin"), "exactly"))
    link = before.exactly("indication", ["skin", "ild"])
    assert link == FilterLink(asked(part), chosen=False)
    assert link.question.exactly("indication", ["ild", "skin"]) == FilterLink(asked(), chosen=True)
    more = before.exactly("indication", ["skin", "ild"], sex=("female",))
    assert more == FilterLink(asked(part, FEMALE), chosen=False)


def test_a_combination_does_not_widen_none_of():
    question = asked(("manifestation", MatchedSet(("renal",), "none")))
    assert question.exactly("manifestation", ["ild"]) is None
    assert question.exactly("indication", ["ild"]) is not None


@pytest.mark.parametrize(
    ("before", "after", "chosen"),
    [
        (None, (("ild",), "any"), False),
        ((("ild",), "any"), None, True),
        ((("gi",), "any"), (("gi", "ild"), "all"), False),
        ((("gi", "ild"), "any"), (("ild",), "any"), False),
        ((("gi", "skin"), "all"), (("gi", "ild", "skin"), "all"), False),
        ((("gi", "ild"), "all"), (("gi",), "all"), True),
        ((("ild",), "all"), None, True),
        ((("ild",), "exactly"), None, True),
        ((("gi", "ild"), "exactly"), None, True),
    ],
)
def test_one_more_value_narrows_and_a_chosen_one_is_given_up(before, after, chosen):
    def question(found):
        return asked(FEMALE, *([("indication", MatchedSet(*found))] if found else []))

    assert question(before).refine("indication", "ild") == FilterLink(question(after), chosen)


@pytest.mark.parametrize(
    ("codes", "match"),
    [(("gi",), "none"), (("ild",), "none"), (("gi", "skin"), "any"), (("gi",), "exactly")],
)
def test_there_is_no_link_where_no_address_can_say_both(codes, match):
    assert asked(("indication", MatchedSet(codes, match))).refine("indication", "ild") is None


# Words that an address does not take, and HEAD


def answered(address: str, *words: str) -> HttpResponse:
    """The answer of a file's view that takes these words and says what it was given."""

    @accept_params(*words, file=True)
    def view(request, *given, **named):
        """Says what it was given."""
        return HttpResponse(f"{request.method} {given} {named}")

    assert view.__name__ == "view" and view.__doc__ == "Says what it was given."
    return view(RequestFactory().get(address), 1, slug="alpha")


@pytest.mark.parametrize(
    ("address", "words"),
    [("/", ()), ("/?a=1", ("a",)), ("/?b=&a=1", ("a", "b"))],
)
def test_an_address_of_known_words_is_answered(address, words):
    answer = answered(address, *words)
    assert (answer.status_code, answer.content.decode()) == (200, "GET (1,) {'slug': 'alpha'}")


@pytest.mark.parametrize(
    ("address", "words", "sentences"),
    [
        ("/?zz", (), "“zz” is no word of this address; it takes none.\n"),
        ("/?a=1&zz=1", ("a",), "“zz” is no word of this address; it takes a alone.\n"),
        (
            "/?y=1&a=1&z=1",
            ("a", "b"),
            "“y” is no word of this address; it takes a and b alone.\n"
            "“z” is no word of this address; it takes a and b alone.\n",
        ),
    ],
)
def test_each_word_that_a_file_does_not_take_is_named_in_plain_text(address, words, sentences):
    answer = answered(address, *words)
    assert (answer.status_code, answer.content.decode()) == (400, sentences)
    assert answer["Content-Type"] == "text/plain; charset=utf-8"


def test_only_head_is_answered_without_a_body():
    request = RequestFactory()
    assert head_response(request.get("/")) is None
    page = head_response(request.head("/"))
    assert (page.status_code, page.content) == (200, b"")
    assert page["Content-Type"] == "text/html; charset=utf-8"
    file = head_response(request.head("/"), "text/csv", {"Last-Modified": "today"}, status=404)
    assert (file.status_code, file["Content-Type"], file["Last-Modified"]) == (
        404,
        "text/csv",
        "today",
    )
