"""An empty curation workbook: a sheet per noun, drop-downs from the vocabularies, instructions."""

import io

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from ...models import Collection
from ...models.spellings import Spelled
from .sheets import (
    DROP_DOWNS,
    INSTRUCTIONS,
    SHEETS,
    VOCABULARY,
    Column,
    Kind,
    Sheet,
)
from .terms import code_of, label_of, other_spellings

OFFERED_ROWS = 10_000  # of a sheet, that have drop-downs
STATE_WORDS = ("NR", "unreadable")
WIDTHS = {Kind.TEXT: 22, Kind.WHOLE: 12, Kind.DECIMAL: 14, Kind.CHOICE: 18, Kind.YES_NO: 12}
NARROWEST = 12

INSTRUCTION_LINES = (
    ("What this is", ""),
    ("", "Each sheet holds one kind of record; each row is one record. Import the workbook with "
     "“manage.py import_workbook FILE”. It goes into studies in work, never straight to readers."),
    ("", "Nothing is imported while anything is wrong. Every fault is named by sheet, row and "
     "column, and the workbook comes back with the faulty cells coloured. Importing the same "
     "workbook twice changes nothing."),
    ("What a cell can say", ""),
    ("empty", "Nobody has looked. It is published as “not extracted”, never as “not reported”. An "
     "empty cell does not erase what was entered before."),
    ("NR", "Somebody looked, and the source does not say: not reported."),
    ("none", "The source says that there was none. For lists (prior therapies, manifestations "
     "present, …), for adverse events and for comorbidities."),
    ("unreadable", "It may stand there, but it cannot be read: a supplement that is missing, a "
     "figure too small. “?” means the same."),
    ("not accepted", "NA, unknown and dashes: they may mean “not reported”, “nobody looked” or "
     "“does not apply”. Write which."),
    ("Lists", "Several terms in one cell are separated by semicolons: methotrexate; rituximab. "
     "Labels, codes and synonyms are understood; the sheet Vocabulary has them. “list of …” says "
     "whether the source gives the whole list."),
    ("Found and not found", "“manifestations present” is what was found, “manifestations absent” "
     "what was looked for and not found. What stands in neither is not known."),
    ("Numbers", "1.5 and 1,5 are the same. 1.234 and 1,234 are refused, because they can mean two "
     "numbers. One number, no range, no <, no ca."),
    ("Months and weeks", "Columns in months also take “12 weeks”, “52w”, “2 y” or “90 days”. "
     "They are converted, and the place of the value says so."),
    ("place", "Where the values of the row stand in the source, such as “Table 2, p. 4”. It is "
     "kept with each value of the row. Values from different places: say all of them."),
    ("Which record", "Studies are named by their address (fujita-2019), patients by their public "
     "id (fujita-2019-1), courses by their number. Where “patient” is left empty on the sheet "
     "Patients, it is made of study and number. Outcomes, events and findings without a number "
     "are numbered in their order."),
    ("Paper says", "What the paper prints of its patients together: how many there are, how many "
     "improved, their mean age. It is compared with the rows and changes none of them."),
    ("Sheets and columns", "Leave sheets empty instead of deleting them. Columns you do not need "
     "may be deleted, but for those that name the record. No formulas, no macros, no links."),
)  # fmt: skip


def write_template(collection: Collection) -> bytes:
    """The workbook as bytes."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(
        file,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    book.set_properties({"title": f"Studies for: {collection.name}"})
    formats = {
        "header": book.add_format({"bold": True, "bg_color": "#DDE6EE", "text_wrap": True,
                                   "valign": "top", "border": 1}),
        "needed": book.add_format({"bold": True, "bg_color": "#B9CEDF", "text_wrap": True,
                                   "valign": "top", "border": 1}),
        "text": book.add_format({"num_format": "@"}),  # so that Excel makes no dates of 3-5
        "words": book.add_format({"text_wrap": True, "valign": "top"}),
        "bold": book.add_format({"bold": True, "valign": "top"}),
    }  # fmt: skip
    write_instructions(book, collection, formats)
    sheets = {sheet.title: book.add_worksheet(sheet.title) for sheet in SHEETS}
    terms = {
        model: offered_terms(model)
        for sheet in SHEETS
        for model in (column.vocabulary for column in sheet.columns)
        if model is not None
    }
    write_vocabulary(book, terms, formats)
    drop_downs = DropDowns(book.add_worksheet(DROP_DOWNS))
    for sheet in SHEETS:
        fill_sheet(sheets[sheet.title], sheet, terms, drop_downs, formats)
    book.close()
    return file.getvalue()


def offered_terms(model: type[Spelled]) -> list[Spelled]:
    """The terms of a vocabulary that are offered for new records."""
    return list(model._default_manager.filter(in_use=True))


def fill_sheet(page, sheet: Sheet, terms: dict, drop_downs: "DropDowns", formats: dict) -> None:
    page.freeze_panes(1, len(sheet.key))
    page.set_row(0, 48)
    for index, column in enumerate(sheet.columns):
        style = formats["needed" if column.required else "header"]
        page.write_string(0, index, column.header, style)
        page.write_comment(0, index, explanation(column), {"x_scale": 2, "y_scale": 1.5})
        page.set_column(index, index, max(WIDTHS.get(column.kind, 28), NARROWEST), formats["text"])
        source = drop_downs.source(drop_down(column, terms))
        if source:
            # other spellings are understood too, so nothing is refused while typing
            page.data_validation(
                1, index, OFFERED_ROWS, index,
                {"validate": "list", "source": source, "show_error": False},
            )  # fmt: skip


def explanation(column: Column) -> str:
    """What a column takes, for the comment on its header."""
    lines = [column.help, f"Needed: {column.kind}." if column.required else f"{column.kind}."]
    if column.unit:
        lines.append(f"In {column.unit}.")
    if column.stateable:
        lines.append(f"Also {' or '.join(STATE_WORDS)}.")
    if column.kind in (Kind.TERMS, Kind.PRESENT) and column.completeness:
        lines.append("Or none.")
    text = "\n".join(filter(None, lines))
    return text[0].upper() + text[1:]


def drop_down(column: Column, terms: dict) -> tuple[str, ...]:
    """What is offered in the cells of a column."""
    states = STATE_WORDS if column.stateable else ()
    if column.kind == Kind.CHOICE:
        return (*(label for _, label in column.choices), *states)
    if column.kind == Kind.YES_NO:
        return ("yes", "no", *states)
    if column.kind == Kind.STATE:
        return states
    if column.vocabulary is not None:
        none = column.kind in (Kind.TERMS, Kind.PRESENT) and column.completeness
        return (*map(label_of, terms[column.vocabulary]), *(["none"] if none else []), *states)
    return ()


class DropDowns:
    """The hidden sheet that holds what drop-downs offer, each list once."""

    def __init__(self, page):
        self.page, self.sources = page, {}
        page.hide()

    def source(self, items: tuple[str, ...]) -> str:
        """The range that holds these items; an empty text where there are none."""
        if items and items not in self.sources:
            index = len(self.sources)
            self.page.write_column(0, index, items)
            name = xl_col_to_name(index)
            self.sources[items] = f"={DROP_DOWNS}!${name}$1:${name}${len(items)}"
        return self.sources.get(items, "")


def write_instructions(book, collection: Collection, formats: dict) -> None:
    page = book.add_worksheet(INSTRUCTIONS)
    page.set_column(0, 0, 22)
    page.set_column(1, 1, 100)
    lines = [("Collection", f"{collection.name} ({collection.slug})"), *INSTRUCTION_LINES]
    if collection.caveat:
        lines.insert(1, ("", collection.caveat))
    for row, (word, text) in enumerate(lines):
        page.write_string(row, 0, word, formats["bold"])
        page.write_string(row, 1, text, formats["words"])


def write_vocabulary(book, terms: dict[type[Spelled], list[Spelled]], formats: dict) -> None:
    """Every term with its code, label and synonyms, and the codes of every choice."""
    page = book.add_worksheet(VOCABULARY)
    page.freeze_panes(1, 0)
    page.set_column(0, 0, 28)
    page.set_column(1, 2, 36)
    page.set_column(3, 3, 60)
    for index, header in enumerate(("vocabulary", "label", "code", "also written")):
        page.write_string(0, index, header, formats["header"])
    lines = [
        (
            str(model._meta.verbose_name),
            label_of(term),
            code_of(term),
            "; ".join(other_spellings(term)),
        )
        for model, offered in terms.items()
        for term in offered
    ]
    lines += [
        (f"{sheet.title}: {column.header}", label, code, "")
        for sheet in SHEETS
        for column in sheet.columns
        for code, label in column.choices
    ]
    for row, line in enumerate(lines, start=1):
        for index, text in enumerate(line):
            page.write_string(row, index, text)
