"""Writes what was measured into the documents: `python -m soak.report`.

`docs/reliability.md` and `docs/scaling.md`: each chapter stands between marks of its own; what
others wrote around them stays.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from .server import RESULTS, ROOT

BEGINNING = """# Reliability

What was done to Casebook on purpose, what a reader saw of it, what was lost, and how soon it was well again. Scripts of the
repository make the tables.

<!-- soak -->
<!-- /soak -->
"""  # noqa: E501


def put(page: Path, text: str, name: str = "soak") -> None:
    """Replaces what stands between the marks of a name. Raises ValueError where there are none."""
    if not page.exists():
        page.write_text(BEGINNING)
    first, mark, rest = page.read_text().partition(f"<!-- {name} -->\n")
    _, end, last = rest.partition(f"<!-- /{name} -->")
    if not (mark and end):
        raise ValueError(f"{page} has no marks of {name}.")
    page.write_text(f"{first}{mark}{text.strip()}\n{end}{last}")


def read(folder: Path, name: str) -> dict | None:
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def machine_line(result: dict) -> str:
    of = result["machine"]
    return (
        f"{of['processor']}, {of['cores']} cores, {of['memory_gb']} GB, Python {of['python']}, "
        f"{of['day']}; the load of the machine was {of['load']} before this began."
    )


def number(value: float) -> str:
    return f"{value:,}"


def counts(statuses: dict) -> str:
    names = {"-1": "not sent", "0": "none"}
    return ", ".join(f"{names.get(s, s)} × {number(n)}" for s, n in sorted(statuses.items())) or "–"


def table(head: list[str], rows: list[list]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def named(found: Counter) -> str:
    return "".join(f"; {what} × {times}" for what, times in found.items())


def hostile(result: dict) -> str:
    found = Counter(fault["what"] for fault in result["faults"])
    rows = [
        ["hostile requests", f"**{number(result['asked'])}**"],
        ["of these in process, through sockets",
         f"{number(result['in_process'])}, {number(result['through_sockets'])}"],
        ["of these variations of a plain request, between two of it",
         number(result["variations_in_pairs"])],
        ["routes, addresses, words, headers",
         ", ".join(number(result[name]) for name in ("routes", "addresses", "words", "headers"))],
        ["keys of kept answers seen", number(result["keys_seen"])],
        ["answers in process", counts(result["statuses"])],
        ["answers through sockets", counts(result["statuses_through_sockets"])],
        ["slowest answer", f"{result['slowest_s']} s"],
        ["faults", f"**{sum(found.values())}**" + named(found)],
    ]  # fmt: skip
    return f"""### Hostile requests

`python -m soak.hostile --requests {result["asked"]} --seed {result["seed"]}`: {result["seconds"]} s on {machine_line(result)}

{table(["", ""], rows)}

Every route of the table of addresses, `/admin/` too; every word of forms and API with wrong, huge, odd, repeated, overlong, badly encoded values;
the headers that change answers or that others believe; methods, made-up ones too; malformed HTTP. A *fault* is an answer of 500, a stack in the
log, an answer after more than 20 s (in process: of computing) or none, a refusal without a text or with a path, a stack or SQL in it, markup that is not escaped, a redirect
to elsewhere, or:

- **a hidden record**: drafts, withdrawn records, a draft study's versions, a second entry, suggestions, private files, names and e-mail addresses
  of curators, hashes of passwords and the secret key hold marks; none may stand in an answer or a header, unpacked and decompressed too;
- **a poisoned answer**: a plain request is answered the same, byte for byte, before and after variations of it, and as with nothing kept;
- **a shared key**: two answers that differ under one `ETag`, which is made of the same as the key of the cache.
"""  # noqa: E501


def seconds_of(found: dict, *names: str) -> str:
    return " / ".join(f"{found[name]:g}" for name in names if name in found) or "–"


def load(result: dict) -> str:
    soak, memory = result["soak"], result["soak"]["memory"]
    steps = [
        [step["rate"], "yes" if step["held"] else "no", counts(step["statuses"]),
         seconds_of(step["served_ms"], "p50", "p95", "p99")]
        for step in soak["steps"]
    ]  # fmt: skip
    over = soak["overload"]
    rows = [
        ["asked", f"{soak['asked_a_second']} a second for {soak['seconds']} s"],
        ["answers", counts(over["statuses"])],
        ["served", f"{soak['served_a_second']} a second"],
        ["ms of what was served (median / 95 % / 99 % / most)",
         seconds_of(over["served_ms"], "p50", "p95", "p99", "max")],
        ["ms until what was shed was told so (503 with `Retry-After`)",
         seconds_of(over["shed_ms"], "p50", "p95", "p99", "max")],
        ["`/healthz`, ten times a second, in ms",
         f"{seconds_of(soak['health'], 'p50', 'p95', 'p99', 'max')}; "
         f"{soak['health']['failed']} of {soak['health']['asked']} failed"],
        ["memory of all processes (PSS): first, last, most",
         f"{memory['first_mb']}, {memory['last_mb']}, {memory['most_mb']} MB"],
        ["growth in the second half", f"{memory['growth_mb_a_minute']} MB a minute"],
        ["the same workers at the end", "yes" if memory["same_workers"] else "**no**"],
        ["well again after (three good seconds in a row)", f"{soak['recovered_s']} s"],
    ]  # fmt: skip
    attacks = [
        [one["attack"], f"{one['seconds']} s",
         counts(one["first"]) if "first" in one else "–",
         f"{one['slot_free_after_s']} s" if "slot_free_after_s" in one else "–",
         counts(one["reader"]["statuses"]), seconds_of(one["reader"]["served_ms"], "p50", "max"),
         seconds_of(one["health"], "p99", "max")]
        for one in result["attacks"]
    ]  # fmt: skip
    head = ["attack", "lasted", "what it got in a second", "a slot free after", "a reader got",
            "ms (median / most)", "health ms (99 % / most)"]  # fmt: skip
    return f"""### Load

`python -m soak.load`: {result["workers"]} workers of {result["threads"]} threads, SQLite, nothing in front, the client on the same machine;
{number(result["patients"])} drawn patients beside the shipped collections. {machine_line(result)}

Of a hundred requests 25 are overviews, 20 lists, 10 pages of charts, 5 files of charts, 20 of the API, 10 CSV files, 8 other pages, 2 files that
take a slot; hardly any is asked twice, so nearly all are made. A rate is *held* while 99 of 100 of what takes no slot are answered, 95 of 100 within
a second.

{table(["requests a second", "held", "answers", "ms (median / 95 % / 99 %)"], steps)}

Held: **{soak["held_a_second"]} a second**. Four times that:

{table(["", ""], rows)}

The two slots, half-sent requests and slow readers, with somebody who reads pages meanwhile:

{table(head, attacks)}

Faults: **{len(result["faults"])}** {"; ".join(result["faults"])}
"""  # noqa: E501


def front(result: dict) -> str:
    rows = []
    for one in result["rows"]:
        said = {k: v for k, v in one.items() if k not in ("attack", "seconds", "reader")}
        told = "; ".join(
            f"{name.replace('_', ' ')}: {counts(value) if isinstance(value, dict) else value}"
            for name, value in said.items()
        )
        reader = one["reader"]
        rows.append([one["attack"], f"{one['seconds']} s", told, counts(reader["statuses"]),
                     seconds_of(reader, "p50", "p95", "max")])  # fmt: skip
    head = [
        "from one address",
        "lasted",
        "what it got",
        "a reader at another got",
        "ms (median / 95 % / most)",
    ]
    return f"""### The front, with real traffic

`python -m soak.front`: the shipped nginx configuration in a network namespace of its own, clients with eight addresses in another, Casebook with
Redis behind; {number(result["patients"])} drawn patients. Plain http between clients and front. {machine_line(result)}

{table(head, rows)}

Health behind the front meanwhile: {seconds_of(result["health"], "p50", "p99", "max")} ms (median / 99 % / most),
{result["health"]["failed"]} of {result["health"]["asked"]} failed. Faults: **{len(result["faults"])}** {"; ".join(result["faults"])}
"""  # noqa: E501


def hosts(result: dict) -> str:
    rows = [
        [row["hosts"], row["made_anew"]["a_second"],
         seconds_of(row["made_anew"], "p50", "p95"), row["made_anew"]["not_served"],
         row["kept"]["a_second"], seconds_of(row["kept"], "p50", "p95"),
         f"{number(row['memory_mb'])} MB", row["connections"],
         f"{row['edit']['until_all_new_s']} s"]
        for row in result["rows"]
    ]  # fmt: skip
    head = ["hosts", "pages made anew a second", "ms (median / 95 %)", "not served",
            "kept pages a second", "ms (median / 95 %)", "memory of the hosts",
            "connections to PostgreSQL", "an edit shows everywhere after"]  # fmt: skip
    return f"""{table(head, rows)}

`python -m soak.hosts` on {machine_line(result)}
Each host is two workers in a network namespace of its own, behind nginx in another, with PostgreSQL and Redis in a third;
{result["people"]} readers who ask again as soon as there is an answer, overviews of {number(result["patients"])} drawn patients.
"""  # noqa: E501


def engine(result: dict) -> str:
    names = list(result["rows"][0]["ms"])
    rows = [
        [number(row["patients"]), *(number(round(row["ms"][name])) for name in names)]
        for row in result["rows"]
    ]
    return f"""{table(["patients", *(f"{name}, ms" for name in names)], rows)}

`python -m soak.engine`: the median of {result["times"]} answers that nothing has kept, one at a time, PostgreSQL on the same machine.
{machine_line(result)}
"""  # noqa: E501


CHAPTERS = {"hostile": hostile, "load": load, "front": front}


def chapter(folder: Path) -> str:
    """What is said of all results there are in a folder."""
    told = [
        "## Load and abuse\n\n`make soak` measures this, `make soak-short` a short form of it.\n"
    ]
    for name, write in CHAPTERS.items():
        if result := read(folder, name):
            told.append(write(result))
    return "\n".join(told)


def main() -> int:
    put(ROOT / "docs" / "reliability.md", chapter(RESULTS))
    for name, write in (("hosts", hosts), ("engine", engine)):
        if result := read(RESULTS, name):
            put(ROOT / "docs" / "scaling.md", write(result), name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
