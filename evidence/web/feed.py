"""The feeds of what has changed, in all or in the answer of a question: Atom (RFC 4287)."""

import re
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.html import escape
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from .. import summaries
from ..downloads.followed import (
    COMPARED,
    Followed,
    PatientChanges,
    ReleaseChanges,
    follow_question,
)
from ..downloads.release_status import (
    latest_release,
    parts_not_in_archives,
    release_named,
)
from ..models import DataVersion
from ..models.consistency import current_version
from ..questions.filters.treatment import VIEW_PARAMS
from ..questions.form_fields import truncate_text
from ..questions.heading import question_heading
from ..questions.parsing import ParsedRequest, get_collection, parse_params
from ..questions.request_checks import accept_params, head_response, problems_as_text

CONTENT_TYPE = "application/atom+xml; charset=utf-8"
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class ChangesFeed(Atom1Feed):
    """An Atom feed whose time is that of the data, so that the same data give the same bytes."""

    def __init__(
        self, *args, data_version: DataVersion, if_empty: datetime | None = None, **options
    ):
        super().__init__(*args, **options)
        self.data_version, self.if_empty = data_version, if_empty

    def latest_post_date(self) -> datetime:
        entries = [item["updateddate"] for item in self.items]
        return max(entries, default=self.if_empty or self.data_version.changed_at)


@require_safe
@accept_params(file=True)
def changes_feed(request: HttpRequest, collection: str = "") -> HttpResponse:
    """What has changed in one collection, or in all: only what readers could see."""
    record = get_collection(collection) if collection else None
    if head := head_response(request, CONTENT_TYPE):
        return head
    name = f"Casebook: {record.name}" if record else "Casebook"
    page = record.get_absolute_url() if record else reverse("home")
    version = current_version()
    feed = ChangesFeed(
        title=f"{name}, changes",
        link=request.build_absolute_uri(page),
        description="",
        subtitle="Studies published, corrected, withdrawn or retracted, and releases."
        + (f" {record.caveat}." if record and record.is_simulated else ""),
        feed_url=request.build_absolute_uri(request.path),
        feed_guid=summaries.lasting_name(f"feed/{collection}"),
        author_name="Casebook",
        language="en",
        data_version=version,
    )
    for change in summaries.recent_changes(record):
        feed.add_item(
            title=clean(change.title),
            link=request.build_absolute_uri(change.address),
            description=clean(change.text),
            unique_id=summaries.lasting_name(change.key),
            pubdate=change.at,
            updateddate=change.at,
        )
    return HttpResponse(feed.writeString("utf-8"), content_type=CONTENT_TYPE)


def clean(text: str) -> str:
    """A text without characters that XML cannot hold."""
    return NOT_IN_XML.sub("", text)


class QuestionFeed(ChangesFeed):
    """The feed of a question; each entry has a link to every patient it names but the withdrawn."""

    def add_item_elements(self, handler, item) -> None:
        super().add_item_elements(handler, item)
        for title, href in item["related"]:
            handler.addQuickElement(
                "link", "", {"rel": "related", "href": href, "title": title, "type": "text/html"}
            )


MAX_NAME = 100  # letters of the name somebody gives a question
MOST_PATIENTS = 20  # named of each kind in an entry
OWN_WORDS = ("name", "since")
# What became of patients, and how an entry says it. The withdrawn are named; nothing leads to them.
KINDS = {
    "added": "new",
    "entered": "known before and answering now",
    "changed": "changed",
    "left": "no longer answering",
    "withdrawn": "withdrawn, or counted by another report of the same person",
}
SHORT = {"entered": "answering now", "withdrawn": "withdrawn"}


@require_safe
def question_feed(request: HttpRequest, collection: str) -> HttpResponse:
    """What each release changed in the patients who answer a question."""
    data = request.GET.copy()
    own = {word: [value for value in data.pop(word, []) if value] for word in OWN_WORDS}
    parsed = parse_params(data, get_collection(collection))
    name, since = ("".join(own[word][:1]) for word in OWN_WORDS)
    problems = [*parsed.problems, *problems_of_words(own, request)]
    if parsed.question:
        problems += [
            f"A feed cannot ask “{label}”: the archives of releases do not hold what it looks into."
            for label in parts_not_in_archives(parsed.question)
        ]
    if problems:
        return problems_as_text(problems)
    latest = latest_release()
    modified = latest.released_at if latest else current_version().changed_at
    headers = {"Last-Modified": http_date(modified.timestamp())}
    if head := head_response(request, CONTENT_TYPE, headers):
        return head
    followed = follow_question(parsed.question, int(since or 0))
    feed = build_question_feed(request, parsed, followed, clean(name), since)
    return HttpResponse(feed.writeString("utf-8"), content_type=CONTENT_TYPE, headers=headers)


def problems_of_words(own: dict[str, list[str]], request: HttpRequest) -> list[str]:
    """What is wrong with the words that a feed has besides the question's, and those it has not."""
    problems = [
        f"“{word}” is no word of a feed, which follows every release."
        for word in sorted(VIEW_PARAMS & request.GET.keys())
    ]
    problems += [
        f"“{word}” is given more than once." for word, values in own.items() if len(set(values)) > 1
    ]
    problems += [
        f"“{truncate_text(since)}” is no release. The releases are listed at /releases/."
        for since in own["since"]
        if release_named(since) is None
    ]
    problems += [
        f"A name has at most {MAX_NAME} characters." for name in own["name"] if len(name) > MAX_NAME
    ]
    return list(dict.fromkeys(problems))


def build_question_feed(
    request: HttpRequest, parsed: ParsedRequest, followed: Followed, name: str, since: str
) -> QuestionFeed:
    """The feed, an entry for each release that changed the answer."""
    question, record = parsed.question, parsed.collection
    mark = "Simulated: " if record.is_simulated else ""
    heading = question_heading(question, parsed.vocabulary) or record.name
    title = f"{mark}{name or heading}"
    path = reverse("list", args=[record.slug, "patients"])
    asked, here = question.query(), request.build_absolute_uri
    feed = QuestionFeed(
        title=title,
        link=here(f"{path}?{asked}" if asked else path),
        description="",
        subtitle=clean(about_question(parsed, followed)),
        feed_url=here(request.get_full_path()),
        feed_guid=summaries.lasting_name(f"follow/{record.slug}?{asked}#{since}"),
        author_name="Casebook",
        language="en",
        data_version=current_version(),
        if_empty=followed.latest and followed.latest.released_at,
    )
    for change in followed.changes:
        number = change.release.number
        named = [
            slug
            for kind in KINDS
            if kind != "withdrawn"
            for slug in getattr(change.patients, kind)[:MOST_PATIENTS]
        ]
        feed.add_item(
            title=f"{title}, release {number}: {counts_in_words(change.patients)}",
            link=here(f"{path}?{question.query(release=str(number))}"),
            description=escape(change_in_words(parsed, change)),
            unique_id=summaries.lasting_name(f"follow/{record.slug}?{asked}/{number}"),
            pubdate=change.release.released_at,
            updateddate=change.release.released_at,
            related=[(slug, here(reverse("patient", args=[record.slug, slug]))) for slug in named],
        )
    return feed


def about_question(parsed: ParsedRequest, followed: Followed) -> str:
    """What a feed follows, and what it does not."""
    record = parsed.collection
    sentences = [f"The patients who answer: {parsed.in_words}."]
    if record.is_simulated:
        sentences.append(f"{record.caveat}.")
    sentences.append(
        "An entry is a release that changed who they are or what is recorded of them; groups are "
        "not followed."
    )
    if followed.latest is None:
        sentences.append("No release holds this collection yet.")
    elif followed.is_cut:
        sentences.append(f"The latest {COMPARED} releases are compared.")
    return " ".join([*sentences, *followed.passed_over])


def counts_in_words(patients: PatientChanges) -> str:
    """“2 new, 1 changed”."""
    return ", ".join(
        f"{len(slugs)} {SHORT.get(kind, words)}"
        for kind, words in KINDS.items()
        if (slugs := getattr(patients, kind))
    )


def change_in_words(parsed: ParsedRequest, change: ReleaseChanges) -> str:
    """What one release changed, by the ids of patients."""
    patients = change.patients
    since = f" since release {change.since.number}" if change.since else ""
    sentences = [
        f"{parsed.in_words}.",
        f"Patients who answer in release {change.release.number}: {patients.answering}.",
        f"Changes{since}:" if since else "The first release of this collection:",
    ]
    kinds = []
    for kind, words in KINDS.items():
        slugs = getattr(patients, kind)
        if slugs:
            more = len(slugs) - MOST_PATIENTS
            named = [*slugs[:MOST_PATIENTS], *([f"and {more} more"] if more > 0 else [])]
            kinds.append(f"{words}: {', '.join(named)}")
    caveat = f" {parsed.collection.caveat}." if parsed.collection.is_simulated else ""
    return f"{' '.join(sentences)} {'; '.join(kinds)}.{caveat}"
