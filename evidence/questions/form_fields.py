"""Form fields: numbers, and those that read a question's words and say what is wrong with them."""

from difflib import get_close_matches

from django import forms

from ..models.choices import Match
from .question import MatchedSet

MOST_WORDS = 10  # every word is looked for in every text field of every row
SHOWN = 40  # characters of a wrong word that an error message repeats


def truncated(word: str) -> str:
    """A wrong word as a message repeats it: short, and without characters that do not print."""
    word = "".join(letter if letter.isprintable() else "�" for letter in word)
    return word if len(word) <= SHOWN else word[:SHOWN] + "…"


class WordsWidget(forms.Widget):
    """All values of a repeated word, empty ones left out."""

    def value_from_datadict(self, data, files, name):
        return [word for word in data.getlist(name) if word]


class MatchedWordsWidget(WordsWidget):
    """The values of a word and of its match word."""

    def value_from_datadict(self, data, files, name):
        match = f"{name}_match"
        return super().value_from_datadict(data, files, name), super().value_from_datadict(data, files, match)


class WordsField(forms.Field):
    """Codes from a closed list, cleaned to a sorted tuple; an empty one means nothing was asked."""

    widget = WordsWidget

    def __init__(self, *, options: dict[str, str], **kwargs):
        super().__init__(**kwargs)
        self.options = options

    def clean(self, words):
        return self.checked(words)

    def checked(self, words) -> tuple[str, ...]:
        for word in words:
            if word not in self.options:
                raise forms.ValidationError(self.unknown(word))
        return tuple(sorted(set(words)))

    def unknown(self, word: str) -> str:
        near = get_close_matches(word.lower()[:SHOWN], self.options, n=1)
        hint = f" Did you mean “{near[0]}”?" if near else ""
        if not hint and self.options:
            listed = ", ".join(list(self.options)[:8])
            hint = f" Known here: {listed}{', …' if len(self.options) > 8 else ''}."
        return f"“{truncated(word)}” is not among the values of “{self.label}”.{hint}"


class MatchedSetField(WordsField):
    """Codes with their match word, cleaned to a MatchedSet, or None where no code was chosen."""

    widget = MatchedWordsWidget

    def clean(self, words):
        codes, matches = words
        if len(set(matches)) > 1:
            raise forms.ValidationError(
                f"“{self.label}” is asked with two match words: {', '.join(map(truncated, sorted(set(matches))))}."
            )
        match = matches[0] if matches else Match.ANY
        if match not in Match.values:
            raise forms.ValidationError(f"“{truncated(match)}” is not a match word. Use any, all, exactly or none.")
        chosen = self.checked(codes)
        return MatchedSet(chosen, str(Match(match).value)) if chosen else None


class OneWordWidget(WordsWidget):
    """A word that may stand once; the field refuses two different values."""


class NumberAsText:
    """A number that is typed as a text, so that what was typed is what is judged.

    In an <input type="number"> a browser drops the comma of “1,5” and sends 15; Python takes “1_5”
    for 15 too.
    """

    def to_python(self, value):
        if isinstance(value, str) and "_" in value:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class WholeNumberField(NumberAsText, forms.IntegerField):
    """A whole number in digits."""

    widget = forms.TextInput(attrs={"inputmode": "numeric"})


class DecimalNumberField(NumberAsText, forms.DecimalField):
    """A number whose decimals follow a point. A comma is an error: “1,500” can mean two numbers."""

    widget = forms.TextInput(attrs={"inputmode": "decimal"})
    default_error_messages = {
        "invalid": "Enter a number with a point before its decimals, such as 1.5.",
    }


class NumberField(WholeNumberField):
    """A whole number that may be given once."""

    widget = OneWordWidget

    def clean(self, words):
        if len(set(words)) > 1:
            raise forms.ValidationError(
                f"“{self.label}” is given more than once: {', '.join(map(truncated, words[:3]))}."
            )
        word = words[0].strip() if words else ""
        try:
            return super().clean(word)
        except forms.ValidationError as error:
            if error.error_list[0].code == "invalid":
                raise forms.ValidationError(f"“{truncated(word)}” is not a whole number for “{self.label}”.") from None
            raise forms.ValidationError(
                f"“{self.label}” is between {self.min_value} and {self.max_value}, not {truncated(word)}."
            ) from None


class SearchField(forms.CharField):
    """Search words, given once."""

    widget = OneWordWidget

    def clean(self, words):
        if len(set(words)) > 1:
            raise forms.ValidationError("Search words are given more than once; put them into one field.")
        word = words[0] if words else ""
        if self.max_length and len(word) > self.max_length:
            raise forms.ValidationError(f"Search with at most {self.max_length} characters; these are {len(word)}.")
        words = super().clean(word).split()
        if len(words) > MOST_WORDS:
            raise forms.ValidationError(f"Search for at most {MOST_WORDS} words at once; these are {len(words)}.")
        return " ".join(words)
