"""What a download is called, that it is one, and what kind of records it holds, also where it holds
none.
"""

from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote

from django.utils.http import content_disposition_header

from ..models import Collection, ReleasedCollection
from ..questions.filters import describe_question
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from .metadata import collection_links, link_header, release_links
from .release_status import release_status

LONGEST_WORDS = 400  # characters of a question in words that a header carries
IN_QUERY = "%=&+/:;,?@!$'()*~"  # signs a query string may have in an address
DESCRIBED = (".csv", ".tsv")  # files that have a description of their own
METADATA = "-metadata.json"  # what the W3C's CSV on the Web adds to the address of a file


@dataclass(frozen=True)
class FileAddress:
    """Where a file is, and what it answers.

    `query` is the query string that asks for it, always in the same spelling; `asked` is the one it
    was asked with. `words` are the question in words. `release` is the number of the release it is
    asked of, if it is of one.
    """

    path: str
    query: str = ""
    asked: str = ""
    words: str = ""
    release: str = ""

    @property
    def canonical(self) -> str:
        """The address in its one spelling; of a release with its number, since today's data may
        answer differently.
        """
        of_release = self.release and f"release={self.release}"
        return with_query(self.path, "&".join(filter(None, (self.query, of_release))))

    @property
    def metadata(self) -> str:
        """The address of its description; empty where it has none."""
        if not self.path.endswith(DESCRIBED):
            return ""
        return with_query(f"{self.path}{METADATA}", quote(self.asked, safe=IN_QUERY))

    @property
    def asked_from_beside(self) -> str:
        """The address as it was asked, as what stands beside it says it."""
        return with_query(self.path.rpartition("/")[2], quote(self.asked, safe=IN_QUERY))

    @property
    def links(self) -> list[str]:
        """As links of a header (RFC 8288): the address, with the question as its title, and what
        describes the file.
        """
        words = self.words[:LONGEST_WORDS] + ("…" if len(self.words) > LONGEST_WORDS else "")
        title = words and f"; title*=UTF-8''{quote(words, safe='')}"
        links = [f'<{self.canonical}>; rel="canonical"{title}']
        if self.metadata:
            links.append(f'<{self.metadata}>; rel="describedby"; type="application/csvm+json"')
        return links


def with_query(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def question_address(
    path: str, question: Question, vocabulary: Vocabulary, asked: str, release: str, **view: str
) -> FileAddress:
    """The address of a file of a question; `view` are the words beside the question that change
    what is in it.
    """
    words = describe_question(question, vocabulary)
    return FileAddress(path, question.query(**view), asked, words, release)


def attachment_header(
    filename: str,
    collection: Collection | ReleasedCollection | None = None,
    address: FileAddress | None = None,
) -> dict[str, str]:
    """The headers of a download. Links (RFC 8288) say what a file without rows has no other place
    for: of a collection or a release which it is of, what kind of records it has, what to cite and
    under which licence; and where the file is.
    """
    headers = {
        "Content-Disposition": content_disposition_header(as_attachment=True, filename=filename)
    }
    links = list(address.links) if address else []
    if collection:
        is_release = isinstance(collection, ReleasedCollection)
        of_collection = release_links(collection) if is_release else collection_links(collection)
        # The file's own description comes last: of several, CSV on the Web takes the last.
        links = [*of_collection, *links]
    return headers | ({"Link": link_header(links)} if links else {})


def file_stem(collection: Collection | ReleasedCollection) -> str:
    """How the names of a collection's files begin; those of a simulated one say so."""
    return f"casebook-{'simulated-' if collection.is_simulated else ''}{collection.slug}"


def file_name(collection: Collection, ending: str, subject: str = "", query: str = "") -> str:
    """The name of a file of a collection, with the release or the data version it is of, and for
    what is asked of a part of it a short hash of the question.
    """
    return (
        f"{file_stem(collection)}{subject and f'-{subject}'}"
        f"{release_status(collection).part_of_filename}{query_part(query)}.{ending}"
    )


def query_part(query: str) -> str:
    """“-q1a2b3c4d”: the first eight hexadecimal digits of the SHA-256 of a query string; nothing
    where nothing is asked.
    """
    return f"-q{sha256(query.encode()).hexdigest()[:8]}" if query else ""
