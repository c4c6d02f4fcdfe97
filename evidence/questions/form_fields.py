"""Form fields: numbers, and those that read a question's words and say what is wrong with them."""

import re
from difflib import get_close_matches

from django import forms

from ..models.choices import Match
from .question import MatchedSet

MOST_WORDS = 10  # every word is looked for in every text field of every row
SHOWN = 40  # characters of a wrong word that an error message repeats


def truncate_text(text: str) -> str:
    """A wrong word as a message repeats it: short, and without characters that do not print."""
    text = "".join(letter if letter.isprintable() else "�" for letter in text)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


class WordsWidget(forms.Widget):
    """All values of a repeated word, empty ones left out."""

    def value_from_datadict(self, data, files, name):
        return [word for word in data.getlist(name) if word]


class MatchedWordsWidget(WordsWidget):
    """The values of a word and of its match word."""

    def value_from_datadict(self, data, files, name):
        match = f"{name}_match"
        return super().value_from_datadict(data, files, name), super().value_from_datadict(
            data, files, match
        )


class WordsField(forms.Field):
    """Codes from a closed list, cleaned to a sorted tuple; an empty one means nothing was asked."""

    widget = WordsWidget

    def __init__(self, *, options: dict[str, str], **kwargs):
        super().__init__(**kwargs)
        self.options = options

    def clean(self, words):
        return self.check_values(words)

    def check_values(self, words) -> tuple[str, ...]:
        for word in words:
            if word not in self.options:
                raise forms.ValidationError(self.unknown(word))
        return tuple(sorted(set(words)))

    def unknown(self, word: str) -> str:
        similar = get_close_matches(word.lower()[:SHOWN], self.options, n=1)
        hint = f" Did you mean “{similar[0]}”?" if similar else ""
        if not hint and self.options:
            known_values = ", ".join(list(self.options)[:8])
            hint = f" Known here: {known_values}{', …' if len(self.options) > 8 else ''}."
        return f"“{truncate_text(word)}” is not among the values of “{self.label}”.{hint}"


class MatchedSetField(WordsField):
    """Codes with their match word, cleaned to a MatchedSet, or None where no code was chosen."""

    widget = MatchedWordsWidget

    def clean(self, words):
        codes, matches = words
        if len(set(matches)) > 1:
            raise forms.ValidationError(
                f"“{self.label}” is asked with two match words: "
                f"{', '.join(map(truncate_text, sorted(set(matches))))}."
            )
        match = matches[0] if matches else Match.ANY
        if match not in Match.values:
            raise forms.ValidationError(
                f"“{truncate_text(match)}” is not a match word. Use any, all, exactly or none."
            )
        checked_codes = self.check_values(codes)
        return MatchedSet(checked_codes, str(Match(match).value)) if checked_codes else None


class OneWordWidget(WordsWidget):
    """A parameter with one value; the field refuses two different values."""


class NumberAsText:
    """A number that is typed as a text, so that what was typed is what is judged.

    In an <input type="number"> a browser drops the comma of “1,5” and sends 15. Python takes “1_5”
    for 15 too, and Django “45.0” for the whole number 45, which is none in a JSON schema. `written`
    says how a number may be written.
    """

    written: re.Pattern[str]

    def to_python(self, value):
        text = value.strip() if isinstance(value, str) else ""
        if text and not self.written.fullmatch(text):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class WholeNumberField(NumberAsText, forms.IntegerField):
    """A whole number in digits."""

    widget = forms.TextInput(attrs={"inputmode": "numeric"})
    written = re.compile(r"-?[0-9]+")


class DecimalNumberField(NumberAsText, forms.DecimalField):
    """A number whose decimals follow a point. A comma is an error: “1,500” can mean two numbers."""

    widget = forms.TextInput(attrs={"inputmode": "decimal"})
    written = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
    default_error_messages = {
        "invalid": "Enter a number with a point before its decimals, such as 1.5.",
    }


class NumberField(WholeNumberField):
    """A whole number that may be given once."""

    widget = OneWordWidget

    def clean(self, texts):
        if len(set(texts)) > 1:
            raise forms.ValidationError(
                f"“{self.label}” is given more than once: "
                f"{', '.join(map(truncate_text, texts[:3]))}."
            )
        text = texts[0].strip() if texts else ""
        try:
            return super().clean(text)
        except forms.ValidationError as error:
            if error.error_list[0].code == "invalid":
                raise forms.ValidationError(
                    f"“{truncate_text(text)}” is not a whole number for “{self.label}”."
                ) from None
            raise forms.ValidationError(
                f"“{self.label}” is between {self.min_value} and {self.max_value}, not "
                f"{truncate_text(text)}."
            ) from None


class SearchField(forms.CharField):
    """Search words, given once."""

    widget = OneWordWidget

    def clean(self, texts):
        if len(set(texts)) > 1:
            raise forms.ValidationError(
                "Search words are given more than once; put them into one field."
            )
        text = texts[0] if texts else ""
        if self.max_length and len(text) > self.max_length:
            raise forms.ValidationError(
                f"Search with at most {self.max_length} characters; these are {len(text)}."
            )
        texts = super().clean(text).split()
        if len(texts) > MOST_WORDS:
            raise forms.ValidationError(
                f"Search for at most {MOST_WORDS} words at once; these are {len(texts)}."
            )
        return " ".join(texts)
