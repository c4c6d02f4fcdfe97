"""What holds of what people said of single values, as triggers: nobody checks their own work, and
nothing that was said is changed or deleted.
"""

from .checking import CELLS_STAY
from .signing_guards import (
    AUTHOR_SIGNS,
    NAME_OF_SIGNER,
    OTHER_NAME,
    WRITTEN_BY_THEM,
    unless_put_back,
)
from .trigger import Guard

NEEDED = ("checkedcell.id", "openpublication.id", "studyversion.signature_id")

CHECKING_GUARDS = [
    Guard(
        "checkedcell_names_its_user",
        "INSERT",
        "checkedcell",
        unless_put_back(OTHER_NAME),
        NAME_OF_SIGNER,
        NEEDED,
    ),
    Guard(
        "checkedcell_not_by_an_author",
        "INSERT",
        "checkedcell",
        unless_put_back(WRITTEN_BY_THEM),
        AUTHOR_SIGNS,
        NEEDED,
    ),
    *(
        Guard(f"checkedcell_is_never_{name}", moment, "checkedcell", "1 = 1", CELLS_STAY, NEEDED)
        for name, moment in (("changed", "UPDATE"), ("deleted", "DELETE"))
    ),
]
