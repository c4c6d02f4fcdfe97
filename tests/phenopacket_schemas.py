"""The JSON schemas of phenopacket-tools, as its own validator reads them.

They are another work, under another licence: `phenopacket_tools/README.md` says which.
"""

import json
from functools import cache
from pathlib import Path

from jsonschema import Draft201909Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).resolve().parent / "phenopacket_tools"
# How the schemas name each other: places among the resources of the Java program.
PLACE = "classpath:/org/phenopackets/phenopackettools/validator/jsonschema/"


@cache
def validator(name: str) -> Draft201909Validator:
    """The validator of `phenopacket` or `cohort`, which also holds dates and times to be some."""
    contents = {
        PLACE + path.relative_to(FOLDER).as_posix(): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(FOLDER.rglob("*.json"))
    }
    registry = Registry().with_resources(
        (place, Resource.from_contents(content)) for place, content in contents.items()
    )
    return Draft201909Validator(
        contents[f"{PLACE}v2/{name}-schema.json"],
        registry=registry,
        format_checker=Draft201909Validator.FORMAT_CHECKER,
    )


def problems(name: str, data: dict) -> list[str]:
    """What is wrong with a phenopacket or a cohort, each with its place; empty where it is
    valid.
    """
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(data)]
