"""The workbench of a study: a grid for each noun, as plain forms that also listen to script.

A form posts every cell and what differs from the version it was made from is entered; script posts
the cells that changed, as JSON, to the same functions.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from html import escape

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import date
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.views.decorators.http import require_GET, require_POST

from ..curation import drafts
from ..curation.cell_states import core_cells
from ..curation.documents import Document
from ..curation.drafts import Author, Conflict, content_of, open_draft
from ..curation.signing import words_to_act_on
from ..curation.workbook.cells import (
    NR,
    OWNER,
    UNREADABLE_WORD,
    DocumentCells,
    Edit,
    RowError,
    cell_columns,
)
from ..curation.workbook.grid import Entered, Grid, GridFault, enter, faults_of
from ..curation.workbook.in_work import InWork
from ..curation.workbook.pasting import paste
from ..curation.workbook.sheets import (
    COURSES,
    EVENTS,
    FINDINGS,
    GROUPS,
    OUTCOME_ROWS,
    PATIENTS,
    STUDIES,
    TOTALS,
    Column,
    Kind,
    Sheet,
)
from ..curation.workbook.values import CellReader
from ..curation.workbook.wide import OutcomeGrid
from ..models import Collection, Measure, Provenance, Study, StudyDraft
from ..summaries import compare_totals

SPARE_ROWS = 3  # empty rows at the end of a form, for who enters without script
SHOWN_FAULTS = 200
BY_MONTH = "by-month"
WITHOUT_PLACE = "without-place"
SHEET_OF = {
    "study": STUDIES,
    "patients": PATIENTS,
    "courses": COURSES,
    "outcomes": OUTCOME_ROWS,
    BY_MONTH: COURSES,
    "events": EVENTS,
    "groups": GROUPS,
    "findings": FINDINGS,
    "totals": TOTALS,
}
TITLES = {
    "study": "Study",
    "patients": "Patients",
    "courses": "Courses",
    "outcomes": "Outcomes",
    BY_MONTH: "Outcomes by month",
    "events": "Events",
    "groups": "Groups",
    "findings": "Findings",
    "totals": "Paper says",
}
TAB_OF = {sheet.title: name for name, sheet in SHEET_OF.items() if name != BY_MONTH}
CLOCK = "H:i:s"


def urls(site: AdminSite) -> list:
    """The routes of the workbench, to be put before the admin's own."""

    def route(address: str, view, name: str):
        def seen(request, **kwargs):
            return view(request, site=site, **kwargs)

        return path(
            f"work/<slug:collection>/<slug:study>/{address}", site.admin_view(seen), name=name
        )

    return [
        route("", workbench, "workbench"),
        route("<slug:grid>/", workbench, "workbench_grid"),
        route("<slug:grid>/enter/", enter_view, "workbench_enter"),
        route("<slug:grid>/head/", head_view, "workbench_head"),
        route("<slug:grid>/undo/", undo_view, "workbench_undo"),
    ]


def may_see(request: HttpRequest) -> bool:
    return request.user.has_perm("evidence.view_studydraft")


def may_enter(request: HttpRequest) -> bool:
    return request.user.has_perm("evidence.change_studydraft")


class Desk:
    """One study of a collection, and the grid of it somebody looks at."""

    def __init__(self, collection: str, study: str, grid: str, query, can_enter: bool):
        if grid not in SHEET_OF:
            raise Http404("There is no such grid.")
        self.collection = get_object_or_404(Collection, slug=collection)
        self.slug, self.name = study, grid
        self.sheet: Sheet = SHEET_OF[grid]
        self.reader = CellReader()
        self.asked, self.can_enter = query, can_enter
        self.find_draft()

    def find_draft(self) -> None:
        drafts_there = StudyDraft.objects.select_related("collection", "head", "published")
        self.draft = drafts_there.filter(collection=self.collection, slug=self.slug).first()
        in_tables = Study.objects.filter(collection=self.collection, slug=self.slug).exists()
        if not in_tables and (self.draft is None or self.draft.head is None):
            raise Http404("There is no such study.")

    @property
    def version(self) -> int:
        """The number of the newest version; 0 where the study has none yet."""
        return self.draft.head.number if self.draft and self.draft.head else 0

    def content(self) -> Document:
        """The newest document; that of the tables where no work is open."""
        return InWork(self.collection).document(self.slug)

    def cells(self, content: Document) -> DocumentCells:
        return DocumentCells(self.collection, self.slug, content, self.reader)

    def content_at(self, number: int) -> Document:
        version = self.draft.versions.filter(number=number).first() if self.draft else None
        return content_of(version) if version else self.content()

    @cached_property
    def grid(self) -> Grid:
        if self.name != BY_MONTH:
            return Grid(self.sheet)
        return self.wide()

    def wide(self) -> OutcomeGrid:
        measures, months, self.not_understood = columns_asked(self.reader, self.asked)
        return OutcomeGrid(measures, months)

    def address(self, view: str = "workbench_grid") -> str:
        return reverse(f"admin:{view}", args=[self.collection.slug, self.slug, self.name])

    def begin(self, user) -> None:
        """The draft, begun if there is none, with what the tables hold of it."""
        self.draft = open_draft(self.collection, self.slug, Author(user=user))
        self.draft.refresh_from_db()


def columns_asked(reader: CellReader, query) -> tuple:
    """Measures and months a grid of outcomes is to have, and what was not understood."""
    terms, measures, months, left = reader.spellings_of(Measure), [], [], []
    for text in filter(None, map(str.strip, query.get("measures", "").split(";"))):
        code = terms.find(text)
        (measures if code else left).append(code or text)
    for text in query.get("months", "").replace(",", ".").replace(";", " ").split():
        reading = text.replace(".", "", 1)
        if reading.isdecimal() and float(text) <= 1200:
            months.append(OUTCOME_ROWS.column("at_months").model_field.to_python(text))
        else:
            left.append(text)
    months = [month.normalize() + 0 for month in months]
    return tuple(dict.fromkeys(measures)), tuple(dict.fromkeys(months)), left


# ---- what is shown ----------------------------------------------------------


@dataclass
class Shown:
    """What is said beside a cell beyond what it holds: a text that was not taken, and why."""

    text: str | None = None
    problem: str = ""
    nearest: tuple[str, ...] = ()


def workbench(
    request: HttpRequest, site: AdminSite, collection: str, study: str, grid: str = "patients"
) -> HttpResponse:
    """The grid of a noun; a form that is posted enters what it says."""
    if not may_see(request):
        raise PermissionDenied
    desk, told = Desk(collection, study, grid, request.GET, may_enter(request)), {}
    context = {}
    if request.method == "POST":
        if not desk.can_enter:
            raise PermissionDenied
        entered, context = enter_form(request, desk)
        told = told_of(entered)
        if entered and not told and not context["said"]:
            return HttpResponseRedirect(request.get_full_path())
    return TemplateResponse(
        request,
        "admin/evidence/workbench/grid.html",
        {**site.each_context(request), **page_context(request, desk, told), **context},
    )


def told_of(entered: Entered | None) -> dict[tuple[str, str], Shown]:
    """What has to be said beside cells of a form that was posted, by row and field."""
    if entered is None:
        return {}
    told = {
        (edit.row, edit.field): Shown(edit.text, error.problem, error.nearest)
        for edit, error in entered.errors
    }
    for clash in entered.clashes:
        who = entered.version.author_name or "somebody"
        told[clash.row, clash.field] = Shown(
            clash.ours,
            f"Changed meanwhile by {who} to “{clash.theirs}”; you have “{clash.ours}”. Save again "
            "to keep yours.",
        )
    return told


def page_context(request: HttpRequest, desk: Desk, told: dict) -> dict:
    content = desk.content()
    cells = desk.cells(content)
    faults = faults_of(cells, content)
    return {
        "title": f"{desk.slug}, {desk.collection}",
        "desk": desk,
        "tabs": tabs_of(desk, cells, faults),
        "can_enter": desk.can_enter,
        "place": request.session.get(place_key(desk), ""),
        "place_length": Provenance._meta.get_field("locator").max_length,
        "is_by_month": desk.name == BY_MONTH,
        "noun": noun_of(desk.name),
        "patient_prefix": cells.next_patient().rpartition("-")[0] + "-",
        "datalists": datalists(desk, cells),
        "progress": progress_of(content, desk),
        "word": words_to_act_on([desk.draft]).get(desk.draft.pk) if desk.draft else None,
        "versions_address": reverse("admin:evidence_studydraft_change", args=[desk.draft.pk])
        if desk.draft
        else "",
        "preview_address": reverse("admin:evidence_studydraft_preview_view", args=[desk.draft.pk])
        if desk.draft and desk.draft.head
        else "",
        **grid_context(desk, cells, content, faults, told, request.GET.get("show", "")),
    }


def grid_context(
    desk: Desk,
    cells: DocumentCells,
    content: Document,
    faults: list[GridFault],
    told: dict,
    show: str,
) -> dict:
    """What the table and the list below it show."""
    table = Table(desk, cells, faults, told, without_place=show == WITHOUT_PLACE)
    body = table.html()
    return {
        "table": body,
        "unplaced": table.unplaced,
        "is_without_place": show == WITHOUT_PLACE,
        **faults_context(desk, faults, content),
    }


def faults_context(desk: Desk, faults: list[GridFault], content: Document) -> dict:
    """What the lists below the table show: what is wrong, and what the paper's own totals say
    otherwise. All of them where they are entered.
    """
    totals = compare_totals(content)
    is_here = desk.name == "totals"
    address = reverse("admin:workbench_grid", args=[desk.collection.slug, desk.slug, "totals"])
    return {
        "faults": margin(desk, faults[:SHOWN_FAULTS]),
        "faults_count": len(faults),
        "totals": totals if is_here else [one for one in totals if one.differs],
        "totals_count": len(totals),
        "totals_differ": sum(one.differs for one in totals),
        "totals_address": "" if is_here else address,
    }


def progress_of(content: Document, desk: Desk) -> str:
    """How many core cells are stated, in words."""
    published = content_of(desk.draft.published) if desk.draft else content
    found = list(core_cells(content, published))
    return f"{sum(cell.is_stated for cell in found)} of {len(found)} core cells stated"


def tabs_of(desk: Desk, cells: DocumentCells, faults: list[GridFault]) -> list[dict]:
    wrong = dict.fromkeys(SHEET_OF, 0)
    for fault in faults:
        wrong[TAB_OF[fault.sheet]] += 1
    return [
        {
            "title": title,
            "address": reverse(
                "admin:workbench_grid", args=[desk.collection.slug, desk.slug, name]
            ),
            "is_here": name == desk.name,
            "count": len(cells.rows(SHEET_OF[name])) if name not in ("study", BY_MONTH) else None,
            "faults": wrong[name],
        }
        for name, title in TITLES.items()
    ]


def margin(desk: Desk, faults: Iterable[GridFault]) -> list[dict]:
    """Faults with a link to their cell."""
    shown = []
    for fault in faults:
        name = TAB_OF[fault.sheet]
        address = reverse("admin:workbench_grid", args=[desk.collection.slug, desk.slug, name])
        cell = f"#{cell_id(fault.row, fault.field)}" if fault.row else ""
        header = sheet_of(fault.sheet).column(fault.field).header if fault.field else ""
        where = ", ".join(filter(None, (f"{noun_of(name)} {fault.row}", header)))
        shown.append(
            {
                "address": cell if name == desk.name else address + cell,
                "where": where,
                "problem": fault.problem,
                "nearest": "; ".join(fault.nearest),
                "row": fault.row if name == desk.name else "",
                "field": fault.field,
            }
        )
    return shown


def sheet_of(title: str) -> Sheet:
    return SHEET_OF[TAB_OF[title]]


def noun_of(name: str) -> str:
    return {
        "study": "Study",
        "patients": "Patient",
        "courses": "Course",
        "outcomes": "Outcome",
        BY_MONTH: "Course",
        "events": "Adverse event",
        "groups": "Group",
        "findings": "Finding",
        "totals": "Total",
    }[name]


def cell_id(row: str, name: str) -> str:
    """The id of a cell's element; of a row's heading where there is no field."""
    return "cell-" + f"{row}|{name}".replace(" ", "")


LONG = ("TextField",)
NARROW = 16  # letters that an ordinary cell shows


class Table:
    """The table of a grid as HTML. Written in Python: a page has thousands of cells."""

    def __init__(
        self, desk: Desk, cells: DocumentCells, faults, told: dict, *, without_place: bool
    ):
        self.desk, self.cells, self.told = desk, cells, told
        self.columns = desk.grid.columns(cells)
        self.rows = desk.grid.rows(cells)
        self.without_place, self.unplaced = without_place, 0
        self.faults: dict[tuple[str, str], list[GridFault]] = {}
        if desk.name != BY_MONTH:
            for fault in faults:
                if fault.sheet == desk.sheet.title and fault.field:
                    self.faults.setdefault((fault.row, fault.field), []).append(fault)

    def html(self) -> SafeString:
        rows = [self.row(name) for name in self.rows]
        if self.desk.name == "study":
            return mark_safe(self.upright(rows))  # noqa: S308  every part is escaped
        heads = "".join(self.heading(column) for column in self.columns)
        remove = "" if self.is_fixed else '<th scope="col" class="remove">Remove</th>'
        spare = "" if self.is_fixed else self.spare_rows()
        noun = noun_of(self.desk.name)
        shown = "".join(row for row in rows if row)
        return mark_safe(  # noqa: S308
            f'<thead><tr><th scope="col">{noun}</th>{heads}{remove}</tr></thead>'
            f"<tbody>{shown}{spare}</tbody>"
        )

    @property
    def is_fixed(self) -> bool:
        """Whether rows are neither added nor taken away here."""
        return self.desk.name in ("study", BY_MONTH) or not self.desk.can_enter

    def heading(self, column: Column) -> str:
        title = escape(column.help) if column.help else ""
        required = ' class="required"' if column.required else ""
        return (
            f'<th scope="col" data-field="{escape(column.field)}"{required} title="{title}">'
            f"{escape(titled(column.header))}</th>"
        )

    def upright(self, rows: list[str]) -> str:
        """A study has one row, so its fields stand below each other."""
        name = self.rows[0] if self.rows else self.desk.slug
        lines = []
        for column in self.columns:
            help_text = f"<small>{escape(column.help)}</small>" if column.help else ""
            lines.append(
                f'<tr data-row="{escape(name)}">'
                f'<th scope="row" class="{"required" if column.required else ""}">'
                f"<b>{escape(titled(column.header))}</b> {help_text}</th>"
                f"{self.cell(name, column)}</tr>"
            )
        return (
            '<thead><tr><th scope="col">Field</th><th scope="col">What the source says</th></tr>'
            f"</thead><tbody>{''.join(lines)}</tbody>"
        )

    def row(self, name: str) -> str:
        is_there = self.cells.has(self.desk.sheet, name)
        before = self.unplaced
        inside = "".join(self.cell(name, column) for column in self.columns)
        if self.without_place and self.unplaced == before:
            return ""
        shown = escape(name)
        remove = ""
        if not self.is_fixed:
            box = (
                f'<input type="checkbox" name="remove" value="{shown}" '
                f'aria-label="Remove {noun_of(self.desk.name).lower()} {shown}">'
                if is_there
                else ""
            )
            remove = f'<td class="remove">{box}</td>'
        offered = "" if is_there else ' class="offered"'
        return (
            f'<tr data-row="{shown}"{offered}><th scope="row" id="{escape(cell_id(name, ""))}">'
            f"{shown}</th>{inside}{remove}</tr>"
        )

    def text(self, row: str, column: Column) -> str:
        return self.desk.grid.text(self.cells, row, column.field)

    def place(self, row: str, column: Column) -> str:
        """Where the value of a cell stands; empty where nothing of it has a place."""
        if not column.placed or not self.desk.sheet.subject:
            return ""
        return self.desk.grid.place(self.cells, row, column.field)

    def lacks_place(self, column: Column, text: str, place: str) -> bool:
        """Whether a cell has a value of which nobody has said where it stands."""
        has_value = text not in ("", NR, UNREADABLE_WORD)
        return has_value and not place and column.placed and bool(self.desk.sheet.subject)

    def count_unplaced(self) -> int:
        return sum(
            self.lacks_place(column, self.text(row, column), self.place(row, column))
            for row in self.rows
            for column in self.columns
        )

    def cell(self, row: str, column: Column) -> str:
        text = self.text(row, column)
        place = self.place(row, column)
        lacks_place = self.lacks_place(column, text, place)
        self.unplaced += lacks_place
        return self.input(
            name=f"cell|{row}|{column.field}",
            ident=cell_id(row, column.field),
            label=f"{noun_of(self.desk.name)} {row}, {titled(column.header)}",
            column=column,
            text=text,
            place=place,
            lacks_place=lacks_place,
            said=self.said_of(row, column.field),
        )

    def said_of(self, row: str, name: str) -> Shown:
        if (row, name) in self.told:
            return self.told[row, name]
        faults = self.faults.get((row, name), ())
        problem = " ".join(fault.problem for fault in faults)
        return Shown(None, problem, tuple(near for fault in faults for near in fault.nearest))

    def input(
        self, *, name, ident, label, column, text, place="", lacks_place=False, said=None
    ) -> str:
        said = said or Shown()
        shown = text if said.text is None else said.text
        attributes = [
            f'name="{escape(name)}"',
            f'id="{escape(ident)}"',
            f'aria-label="{escape(label)}"',
            'autocomplete="off"',
        ]
        if lists := list_id(column):
            attributes.append(f'data-list="{lists}"' if column.is_list else f'list="{lists}"')
        if column.kind in (Kind.WHOLE, Kind.DECIMAL):
            attributes.append('data-kind="number"')
        elif is_wide(column):
            attributes.append("data-wide")
        if none := none_word(column):
            attributes.append(f'data-none="{none}"')
        if column.stateable:
            attributes.append("data-stateable")
        if column.placed and self.desk.sheet.subject:
            attributes.append("data-placed")
        if place:
            attributes.append(f'data-place="{escape(place)}"')
        if not self.desk.can_enter:
            attributes.append("readonly")
        error = ""
        classes = [one for one, on in (("unplaced", lacks_place),) if on]
        if said.problem:
            attributes += ['aria-invalid="true"', f'aria-describedby="{escape(ident)}-error"']
            nearest = f" Nearest: {'; '.join(said.nearest)}." if said.nearest else ""
            error = (
                f'<p class="cell-error" id="{escape(ident)}-error">'
                f"{escape(said.problem + nearest)}</p>"
            )
        td = f' class="{" ".join(classes)}"' if classes else ""
        joined = " ".join(attributes)
        if column.model_field is not None and column.model_field.get_internal_type() in LONG:
            return f'<td{td}><textarea rows="1" {joined}>\n{escape(shown)}</textarea>{error}</td>'
        return f'<td{td}><input type="text" value="{escape(shown)}" {joined}>{error}</td>'

    def spare_rows(self) -> str:
        """Empty rows at the end; script makes new ones from the first."""
        return "".join(self.spare_row(number) for number in range(1, SPARE_ROWS + 1))

    def spare_row(self, number: int) -> str:
        noun = noun_of(self.desk.name)
        inside = "".join(
            self.input(
                name=f"new|{number}|{column.field}",
                ident=f"new-{number}-{column.field}",
                label=f"New {noun.lower()} {number}, {titled(column.header)}",
                column=column,
                text="",
            )
            for column in self.columns
        )
        head = "new"
        if self.desk.sheet not in (PATIENTS, TOTALS):
            of = OWNER.get(self.desk.sheet.title)
            what = f"of {noun_of(TAB_OF[of.title]).lower()}" if of else "name"
            owners = ' list="list-owners"' if of else ""
            head = (
                f'<input type="text" name="new|{number}|" autocomplete="off"{owners} '
                f'placeholder="{what}" aria-label="New {noun.lower()} {number}: {what}">'
            )
        return (
            f'<tr class="spare" data-spare="{number}"><th scope="row">{head}</th>{inside}'
            '<td class="remove"></td></tr>'
        )


def titled(header: str) -> str:
    """A header with a capital, but for a name that has its own, such as mRSS."""
    return capfirst(header) if header.partition(" ")[0].strip(",").islower() else header


def none_word(column: Column) -> str:
    """What the key 0 writes where the field knows that there was nothing."""
    if column.kind in (Kind.TERMS, Kind.PRESENT) and column.completeness:
        return "none"
    if column.field == "comorbidities":
        return "none, as stated"
    codes = dict(column.choices)
    for code in ("explicitly_none", "none", "no"):
        if code in codes:
            return escape(codes[code])
    return "no" if column.kind == Kind.YES_NO else ""


@cache
def is_wide(column: Column) -> bool:
    """Whether what can stand in a column is longer than an ordinary cell shows."""
    return column.is_list or max((len(label) for _, label in column.choices), default=0) > NARROW


def list_id(column: Column) -> str:
    """The datalist of a column; none where any text can stand."""
    if column.vocabulary is not None:
        return f"list-{column.vocabulary._meta.model_name}"
    if column.choices:
        return f"list-of-{column.field.partition('@')[0]}"
    return "list-yes-no" if column.kind == Kind.YES_NO else ""


def datalists(desk: Desk, cells: DocumentCells) -> SafeString:
    """What can be chosen in the cells of a grid, each list once; synonyms beside the labels."""
    lists: dict[str, list[tuple[str, str]]] = {}
    for column in desk.grid.columns(cells):
        name = list_id(column)
        if not name or name in lists:
            continue
        if column.vocabulary is not None:
            terms = column.vocabulary._default_manager.filter(in_use=True)
            lists[name] = [
                (str(term), "; ".join(one for one in term.spellings() if one != str(term)))
                for term in terms
            ]
        elif column.choices:
            lists[name] = [(label, "") for _, label in column.choices]
        else:
            lists[name] = [("yes", ""), ("no", "")]
    if desk.sheet.title in OWNER and desk.name != BY_MONTH:
        lists["list-owners"] = [(row, "") for row in cells.rows(OWNER[desk.sheet.title])]
    if desk.name == BY_MONTH:
        measures = Measure.objects.filter(in_use=True)
        lists["list-measure"] = [(str(one), "; ".join(one.spellings()[1:])) for one in measures]
    return mark_safe(  # noqa: S308
        "".join(
            f'<datalist id="{escape(name)}">'
            + "".join(
                f'<option value="{escape(value)}"'
                + (f' label="{escape(f"{value} ({more})")}"' if more else "")
                + "></option>"
                for value, more in options
            )
            + "</datalist>"
            for name, options in lists.items()
        )
    )


# ---- what is entered ----------------------------------------------------------


def place_key(desk: Desk) -> str:
    return f"place:{desk.collection.slug}/{desk.slug}"


def keep_place(request: HttpRequest, desk: Desk, given: str) -> str:
    """The place that stands until it is changed, cut to what a place can be. Of a study itself
    nothing has a place.
    """
    if not desk.sheet.subject:
        return ""
    place = " ".join(given.replace("\0", "").split())[
        : Provenance._meta.get_field("locator").max_length
    ]
    if request.session.get(place_key(desk), "") != place:
        request.session[place_key(desk)] = place
    return place


def enter_form(request: HttpRequest, desk: Desk) -> tuple[Entered | None, dict]:
    """Enters a form that was posted whole; what differs from the version it was made from."""
    sent, said = request.POST, []
    place = keep_place(request, desk, sent.get("place", ""))
    based_on = whole_number(sent.get("based_on", ""))
    content = desk.content_at(based_on)
    desk.begin(request.user)
    before = desk.cells(content)
    if "paste" in sent:
        pasted = paste(desk.grid, desk.cells(desk.content()), sent.get("block", ""))
        edits, new_rows, said = pasted.edits, pasted.new_rows, pasted.said
    else:
        edits, new_rows = edits_of(desk, before, sent, said)
    removed = [row for row in sent.getlist("remove") if "paste" not in sent]
    edits = [edit for edit in edits if edit.row not in removed]
    entered = None
    try:
        entered = enter(
            desk.draft,
            desk.grid,
            edits,
            based_on=max(based_on, 1),
            author=Author(user=request.user),
            place=place,
            new_rows=new_rows,
            removed=removed,
            message=message_of(desk, len(edits), len(removed), pasted="paste" in sent),
        )
        said += entered.refused
        if entered.conversions:  # no fault: told on the page that follows
            told = "; ".join(f"{edit.text} became {became}" for edit, became in entered.conversions)
            messages.success(request, f"Saved. {told}.")
    except (ValidationError, Conflict) as error:
        said += getattr(error, "messages", [str(error)])
    desk.find_draft()
    desk.__dict__.pop("grid", None)
    return entered, {"said": said}


def edits_of(desk: Desk, before: DocumentCells, sent, said: list[str]) -> tuple[list, list]:
    """Cells of a form that say something else than the version it was made from."""
    edits, new_rows, numbered = [], [], {}
    columns = {column.field for column in desk.grid.columns(before)}
    for name, text in sent.items():
        kind, _, rest = name.partition("|")
        row, _, field = rest.rpartition("|")
        text = text.replace("\r\n", "\n").strip()
        if kind == "cell" and (field in columns or desk.name == BY_MONTH):
            try:
                if text != desk.grid.text(before, row, field).strip():
                    edits.append(Edit(row, field, text))
            except (RowError, ValueError) as error:
                said.append(str(error))
        elif kind == "new" and text:
            numbered.setdefault(row, {})[field] = text
    trial = desk.cells(before.document())
    for number, values in sorted(numbered.items()):
        owner = values.pop("", "")
        try:
            row = trial.next_row(desk.sheet, owner)
            trial.add(desk.sheet, row)
        except RowError as error:
            said.append(f"New row {number}: {error}")
            continue
        new_rows.append(row)
        edits += [Edit(row, field, text) for field, text in values.items() if field in columns]
    return edits, new_rows


def message_of(desk: Desk, cells: int, removed: int, *, pasted: bool = False) -> str:
    """What a version says of itself."""
    parts = [f"{cells} cell{'' if cells == 1 else 's'}{' pasted' if pasted else ''}"]
    if removed:
        parts.append(f"{removed} row{'' if removed == 1 else 's'} removed")
    return f"{TITLES[desk.name]}: {', '.join(parts)}."


def read_json(request: HttpRequest) -> dict:
    """The object that script sent. Raises ValueError where it is none, or has characters that no
    database keeps.
    """
    try:
        sent = json.loads(request.body)
        text = json.dumps(sent, ensure_ascii=False)
    except RecursionError as error:
        raise ValueError("too deep") from error
    text.encode()  # a surrogate alone is no character
    if not isinstance(sent, dict) or "\\u0000" in text:
        raise ValueError("no object, or NUL")
    return sent


def texts_of(sent: dict, name: str) -> list[str]:
    """A list of texts that script sent under a name. Raises ValueError where it is none."""
    found = sent.get(name, [])
    if not isinstance(found, list):
        raise ValueError(f"{name} is no list")
    return [str(one) for one in found]


def whole_number(text) -> int:
    text = str(text)
    return int(text) if text.isdecimal() and len(text) < 10 else 0


# ---- script -------------------------------------------------------------------


def answering(view):
    """A view that answers script: who may not is told so in JSON."""

    def inner(request, site, collection, study, grid):
        if not may_see(request) or (request.method == "POST" and not may_enter(request)):
            return JsonResponse({"problem": "You may not do this."}, status=403)
        return view(request, Desk(collection, study, grid, request.GET, may_enter(request)))

    return inner


@require_POST
@answering
def enter_view(request: HttpRequest, desk: Desk) -> JsonResponse:
    """Enters cells, or a block, that script sends. Says what became of each."""
    try:
        sent = read_json(request)
        edits = [
            Edit(str(row), str(field), str(text).replace("\r\n", "\n").strip())
            for row, field, text in sent.get("cells", ())
        ]
        new_rows, removed = texts_of(sent, "new_rows"), texts_of(sent, "removed")
        at = [*texts_of(sent, "at"), "", ""][:2]
        based_on, block = whole_number(sent.get("based_on", 0)), sent.get("block")
        place = keep_place(request, desk, str(sent.get("place", "")))
    except (ValueError, TypeError, AttributeError):
        return JsonResponse({"problem": "This could not be read."}, status=400)
    desk.begin(request.user)
    said = []
    if isinstance(block, str):
        cells = desk.cells(desk.content())
        pasted = paste(desk.grid, cells, block, *at)
        covered = {(edit.row, edit.field) for edit in pasted.edits}
        edits = [edit for edit in edits if (edit.row, edit.field) not in covered] + pasted.edits
        said = pasted.said
        new_rows = list(dict.fromkeys((*new_rows, *pasted.new_rows)))
    if unknown := unknown_columns(desk, edits):
        return JsonResponse({"problem": f"There is no column {unknown[0]}."}, status=400)
    try:
        entered = enter(
            desk.draft,
            desk.grid,
            edits,
            based_on=max(based_on, 1),
            author=Author(user=request.user),
            place=place,
            new_rows=new_rows,
            removed=removed,
            message=message_of(desk, len(edits), len(removed), pasted=isinstance(block, str)),
        )
    except ValidationError as error:
        return JsonResponse({"problem": " ".join(error.messages)}, status=409)
    desk.find_draft()
    touched = {entered.renamed.get(edit.row, edit.row) for edit in edits}
    whole = bool(isinstance(block, str) or removed or entered.renamed or entered.refused)
    return JsonResponse(
        state_of(request, desk, rows=touched, whole=whole)
        | {
            "errors": [
                [edit.row, edit.field, edit.text, error.problem, list(error.nearest)]
                for edit, error in entered.errors
            ],
            "clashes": [[one.row, one.field, one.theirs, one.ours] for one in entered.clashes],
            "renamed": entered.renamed,
            "said": said
            + entered.refused
            + [f"{edit.text} became {became}" for edit, became in entered.conversions],
        }
    )


def unknown_columns(desk: Desk, edits: list[Edit]) -> list[str]:
    if desk.name == BY_MONTH:
        return []
    known = {column.field for column in cell_columns(desk.sheet)}  # what names a row is no cell
    return [edit.field for edit in edits if edit.field not in known]


@require_GET
@answering
def head_view(request: HttpRequest, desk: Desk) -> JsonResponse:
    """The number of the newest version; where it is newer than `since`, what has changed in this
    grid, and the grid as it is now.
    """
    since = whole_number(request.GET.get("since", ""))
    if desk.version <= since:
        return JsonResponse({"version": desk.version, "csrf": get_token(request)})
    versions = desk.draft.versions.filter(number__gt=since)
    names = list(dict.fromkeys(versions.values_list("author_name", flat=True)))
    return JsonResponse(
        state_of(request, desk, whole=True)
        | {
            "csrf": get_token(request),
            "by": ", ".join(filter(None, names)) or "somebody",
            "changes": changes_since(desk, since),
            "changed": len(drafts.differences(desk.content_at(since), desk.content())),
        }
    )


def changes_since(desk: Desk, since: int) -> list[list[str]]:
    """Cells of this grid that say something else than in an earlier version: row, field, what it
    said, what it says.
    """
    now, then = desk.cells(desk.content()), desk.cells(desk.content_at(since))
    rows = list(dict.fromkeys((*desk.grid.rows(now), *desk.grid.rows(then))))
    changes = []
    for row in rows:
        for column in desk.grid.columns(now):
            texts = [desk.grid.text(cells, row, column.field) for cells in (then, now)]
            if texts[0] != texts[1]:
                changes.append([row, column.field, *texts])
    return changes


@require_POST
@answering
def undo_view(request: HttpRequest, desk: Desk) -> JsonResponse:
    """Takes the newest version back."""
    try:
        based_on = whole_number(read_json(request).get("based_on", 0))
        drafts.undo(desk.draft, based_on=based_on, author=Author(user=request.user))
    except (ValueError, AttributeError) as error:
        if not isinstance(error, ValidationError):
            return JsonResponse({"problem": "There is no change to take back."}, status=400)
        return JsonResponse({"problem": " ".join(error.messages)}, status=409)
    except ValidationError as error:
        return JsonResponse({"problem": " ".join(error.messages)}, status=409)
    except Conflict as conflict:
        return JsonResponse({"problem": str(conflict)}, status=409)
    desk.find_draft()
    return JsonResponse(state_of(request, desk, whole=True) | {"said": ["Taken back."]})


def state_of(
    request: HttpRequest, desk: Desk, *, rows: Iterable[str] = (), whole: bool = False
) -> dict:
    """The version, what is wrong, and the cells of some rows or the whole table."""
    content = desk.content()
    cells = desk.cells(content)
    faults = faults_of(cells, content)
    desk.__dict__.pop("grid", None)
    table = Table(desk, cells, faults, {}, without_place=request.GET.get("show") == WITHOUT_PLACE)
    head = desk.draft.head
    answer = {
        "version": desk.version,
        "at": date(head.at, CLOCK) if head else "",
        "faults": render_to_string(
            "admin/evidence/workbench/_faults.html", faults_context(desk, faults, content)
        ),
        "faulty": [
            [fault.row, fault.field, fault.problem, list(fault.nearest)]
            for (_, _), found in table.faults.items()
            for fault in found
        ],
        "progress": progress_of(content, desk),
        "tabs": render_to_string(
            "admin/evidence/workbench/_tabs.html", {"tabs": tabs_of(desk, cells, faults)}
        ),
    }
    if whole:
        return answer | {"table": table.html(), "unplaced": table.unplaced}
    wanted = set(rows)
    return answer | {
        "unplaced": table.count_unplaced(),
        "cells": [
            [row, column.field, table.text(row, column), table.place(row, column)]
            for row in table.rows
            if row in wanted
            for column in table.columns
        ],
    }
