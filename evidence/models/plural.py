"""What so many things are called."""

# where it is not the plural without its s
SINGULAR = {
    "people": "person",
    "studies": "study",
    "boxes": "box",
    "therapies": "therapy",
    "autoantibodies": "autoantibody",
    "categories": "category",
}


def unit_of(count: float, unit: str) -> str:
    """What so many are called: “patient” of one, “patients” of any other number; `unit` is the
    plural.
    """
    if count != 1:
        return unit
    return " ".join(SINGULAR.get(word, word.removesuffix("s")) for word in unit.split(" "))
