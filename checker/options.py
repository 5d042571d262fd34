"""The options of ``model-check``, in the groups that commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from traces.seconds import Seconds

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Any], Any]


class MemorySize(click.ParamType[int]):
    """A number of bytes, with K, M, G or T behind it for powers of 1,024."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", value.strip(), re.IGNORECASE)
        if found is None or float(found[1]) == 0:
            self.fail(f"{value!r} is no amount of memory; allowed is a number, as in 900M or 8G", param, ctx)
        return int(float(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " "))


def _all_of(*options: Option) -> Callable[[Command], Command]:
    """These options, in this order in the help."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


set_option = click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="Override a constant or a bound of the model; may be repeated.",
)

mutant_option = click.option("--mutant", metavar="ID", help="Plant this known bug (a mutant block of the spec).")

property_option = click.option("--property", "only", metavar="NAME", help="Check only this property.")

question_options = _all_of(
    click.option("--model", metavar="NAME", help="The model to use (default: the file's first)."),
    set_option,
    mutant_option,
    property_option,
)
"""What every command about a spec takes."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")

output_options = _all_of(
    json_option,
    click.option("--out-itf", metavar="DIR", type=click.Path(path_type=Path), help="Write traces into this folder."),
)

timeout_option = click.option("--timeout", metavar="S", type=Seconds(min=0, min_open=True), help="Seconds.")

smt_option = click.option(
    "--smt-out",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write each question to z3 into this folder, as SMT-LIB2 with its answer (symbolic engine).",
)

grain_option = click.option("--grain", type=click.Choice(["micro"]), default="micro", help="One label a step.")

enumeration_options = _all_of(
    click.option(
        "--engine",
        type=click.Choice(["symbolic", "explicit", "reference", "both"]),
        default="symbolic",
        show_default=True,
        help="symbolic: z3. explicit: native code. reference: over the evaluator. both: symbolic and explicit, which "
        "must agree (reference where the explicit one is not installed).",
    ),
    grain_option,
    timeout_option,
)
"""How crash states and interleavings are enumerated."""

search_options = _all_of(
    click.option(
        "--engine",
        type=click.Choice(["explicit", "symbolic", "reference", "both"]),
        default="explicit",
        show_default=True,
        help="explicit: all states, in native code (pip install raftproof[native]). symbolic: z3, depth after depth. "
        "reference: all states, over the evaluator. both: explicit and symbolic, which must agree.",
    ),
    click.option(
        "--grain",
        type=click.Choice(["micro", "macro"]),
        default="micro",
        show_default=True,
        help="micro: one label a step. macro: a macro of the spec a step; that it finds nothing is no answer.",
    ),
    timeout_option,
    smt_option,
    click.option("--scenario", metavar="NAME", help="Start where this scenario's script ends."),
    click.option(
        "--max-steps", metavar="N", type=click.IntRange(min=0), help="Search runs of at most N labels (macro steps)."
    ),
    click.option(
        "--frontier",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        help="Let z3 list the states that the first N steps lead to, then look for runs from any of them: for steps "
        "with many choices that come to the same (symbolic engine).",
    ),
    click.option(
        "--min-steps",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        help="Do not ask z3 about shorter runs: what is found is real, but maybe not the shortest.",
    ),
    click.option("--deadlock", is_flag=True, help="Report a state in which nothing is enabled."),
    click.option(
        "--simulate",
        metavar="N",
        type=click.IntRange(min=1),
        help="No search, but N random runs of at most --max-steps labels (default: the model's, or 100).",
    ),
    click.option("--seed", metavar="N", type=click.IntRange(min=0), help="Of the random runs (default: a new one)."),
    click.option(
        "--continue", "go_on", is_flag=True, help="Do not stop at a violation: a shortest run for each property."
    ),
    click.option(
        "--symmetry/--no-symmetry",
        default=True,
        show_default=True,
        help="Store one of the states that permuting symmetric sets makes the same (explicit engine).",
    ),
    click.option(
        "--workers",
        metavar="N",
        type=click.IntRange(min=1, max=64),
        help="Threads of the explicit engine (default: one a processor). Counts do not depend on it.",
    ),
    click.option(
        "--memory",
        metavar="SIZE",
        type=MemorySize(),
        help="Bytes for states, such as 900M or 8G; beyond that the search goes on on disk, slower (explicit engine).",
    ),
    click.option(
        "--checkpoint",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="Leave there, between levels, about every half minute, what --recover needs (explicit engine).",
    ),
    click.option(
        "--recover",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="Go on with a search that was ended, from its last checkpoint (explicit engine).",
    ),
    click.option(
        "--fingerprints",
        is_flag=True,
        help="Tell states apart by a hash of 64 bits: less memory, and a chance to miss some (explicit engine).",
    ),
)
"""How a search is done: the fields of ``checker.searching.Search``."""

reach_options = _all_of(
    click.option("--goal", metavar="GOAL", help="A condition of a state, or a label such as `crash(s1) when …`."),
    click.option(
        "--then", metavar="GOAL", multiple=True, help="A goal met then or later (a label: later); may be repeated."
    ),
    click.option(
        "--some",
        metavar="NAMES",
        multiple=True,
        help="Names that all goals share, such as `s in Server, w in Submission`; may be repeated.",
    ),
    click.option("--model", metavar="NAME", help="The model to use (default: the file's first)."),
    set_option,
    click.option("--crashes", metavar="N", type=click.IntRange(min=0), help="The crash budget: --set max_crashes=N."),
    mutant_option,
    click.option(
        "--engine",
        type=click.Choice(["symbolic", "explicit", "reference", "both"]),
        default="symbolic",
        show_default=True,
        help="symbolic: z3, depth after depth. explicit: all states; native code for one condition of a state. "
        "reference: all states, over the evaluator. both: explicit and symbolic, which must agree on the length.",
    ),
    click.option(
        "--grain",
        type=click.Choice(["micro", "macro"]),
        default="micro",
        show_default=True,
        help="micro: one label a step. macro: a macro of the spec a step; that it finds nothing is no answer.",
    ),
    click.option("--scenario", metavar="NAME", help="Start where this scenario's script ends."),
    click.option(
        "--max-steps", metavar="N", type=click.IntRange(min=0), help="Search runs of at most N labels (macro steps)."
    ),
    click.option(
        "--distinct",
        metavar="N",
        type=click.IntRange(min=1),
        default=1,
        help="N runs that differ in their labels, the shortest first (symbolic engine).",
    ),
    timeout_option,
    smt_option,
)
"""How goals are sought."""

MUTANT_SECONDS = 30.0
"""What an engine has for one mutant, if nothing is said."""

mutant_options = _all_of(
    click.option(
        "--engine",
        type=click.Choice(["explicit", "symbolic", "both"]),
        default="explicit",
        show_default=True,
        help="explicit: all states, in native code. symbolic: z3, as deep as the mutant says. both, in a column each.",
    ),
    click.option("--only", metavar="ID", multiple=True, help="Try this mutant only; may be repeated."),
    click.option(
        "--timeout",
        metavar="S",
        type=Seconds(min=0, min_open=True),
        default=MUTANT_SECONDS,
        show_default=True,
        help="Seconds that an engine has for one mutant.",
    ),
    click.option(
        "--workers",
        metavar="N",
        type=click.IntRange(min=1, max=64),
        help="Threads of the explicit engine (default: one a processor).",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text."),
    click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write the table as Markdown, too."),
)
"""How mutants are tried."""

prove_options = _all_of(
    click.option(
        "--engine", type=click.Choice(["symbolic"]), default="symbolic", help="symbolic: z3, the one that can prove."
    ),
    timeout_option,
    click.option(
        "--max-steps",
        metavar="N",
        type=click.IntRange(min=0),
        help="Where a step breaks the proof: search runs of at most N labels that lead there (default: 6).",
    ),
    click.option("--prune", is_flag=True, help="Leave out conjuncts that break, until the rest is inductive."),
    click.option("--first", is_flag=True, help="End at the first label that breaks a conjunct."),
    click.option(
        "--k",
        "length",
        metavar="K",
        type=click.IntRange(min=1, max=64),
        default=1,
        show_default=True,
        help="k-induction: assume the conjuncts of K states in a row, and show them of the first K of every run.",
    ),
    click.option(
        "--necessary", is_flag=True, help="Once proved: leave out each conjunct in its turn, and say what that breaks."
    ),
    smt_option,
)
"""How a proof is done."""

agree_options = _all_of(
    click.option(
        "--model",
        "models",
        metavar="NAME",
        multiple=True,
        help="A model to compare on; may be repeated (default: those that declare a bound, or the file's first).",
    ),
    set_option,
    mutant_option,
    property_option,
    click.option("--depth", metavar="N", type=click.IntRange(min=1), help="All that lies within runs of N labels."),
    click.option("--window", metavar="K", type=click.IntRange(min=0), help="K labels on either side of a crash."),
)
"""What ``agree`` compares."""

complete_options = _all_of(
    click.option("--model", metavar="NAME", help="The model to use (default: the log's, or the spec's first)."),
    set_option,
    mutant_option,
    click.option(
        "--engine",
        type=click.Choice(["auto", "reference", "symbolic", "both"]),
        default="auto",
        show_default=True,
        help="reference: all states that fit, stepped by the evaluator. symbolic: z3. auto: the first, and z3 from "
        "where thousands of states fit. both: each of the two, which must agree.",
    ),
    timeout_option,
    smt_option,
)
"""What a log is held against, and how."""

workers_option = click.option(
    "--workers", metavar="N", type=click.IntRange(min=1), help="Processes to use (default: one a processor)."
)

target_option = click.option(
    "--target", metavar="NAME", default="refimpl", show_default=True, help="The implementation to replay on."
)

replay_options = _all_of(
    target_option,
    click.option(
        "--disk",
        metavar="KIND",
        help="How the target's disk loses what was not flushed: lossy, torn, real, or as the target has it.",
    ),
    click.option("--break", "faults", metavar="FAULT", multiple=True, help="Break this rule of the target first."),
)
"""Which implementation is replayed on, and how."""
