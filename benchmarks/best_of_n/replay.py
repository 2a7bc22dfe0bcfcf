"""Replay policies over recorded candidates: what they cost and what they find.

    python benchmarks/best_of_n/replay.py docs/best-of-n/recorded.parquet

Nothing is drawn: `jobs.best_of_n` is asked what it would draw, and the recorded scores answer. The
settings of a policy are chosen on one half of the pairs and reported on the other, both ways
round. Prints the tables of docs/best-of-n.md and draws its figures beside the records.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq

from jobs.best_of_n import GLIMPSE, Marks, Rules, best_of_n, ranked
from jobs.report.curves import chance, weights
from jobs.statistics import spearman

GLIMPSES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
"""Shares of stage I at which candidates were recorded."""

RECALL = 0.9
"""Share of what plain best-of-N finds that a policy must still find on the tuning half."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One pair of prompts and its candidates; it is itself and no other, so it can be a key."""

    rows: tuple[Row, ...]

    @property
    def kind(self) -> str:
        """Anagram or hybrid."""
        return str(self.rows[0]["kind"])

    def column(self, name: str) -> list[float]:
        """Return one value of every candidate."""
        return [row[name] for row in self.rows]


@dataclass(frozen=True, slots=True)
class Cost:
    """What drawing costs.

    Attributes:
        name: Of the model.
        lane: GFLOP of a lane of stage I and of stage II.
        same_lanes: Whether stage II asks for as many lanes as stage I, as it does with IF's
            defaults (30 guided steps in both), or for as many as were recorded.
    """

    name: str
    lane: tuple[float, float]
    same_lanes: bool

    def of(self, outcome: "Outcome") -> float:
        """Return the GFLOP that a policy spent on a pair."""
        second = outcome.finalists_lanes if self.same_lanes else outcome.stage_2_lanes
        return outcome.stage_1_lanes * self.lane[0] + second * self.lane[1]


COSTS = (
    # Counted by torch.utils.flop_counter over one lane.
    Cost("embedded model", (0.930, 6.350), same_lanes=False),
    Cost("IF-I-M and IF-II-M", (229.0, 1129.0), same_lanes=True),
)


@dataclass(frozen=True, slots=True)
class Policy:
    """A way to spend compute on a pair: its rules, and where they prune if they do."""

    rules: Rules
    prune_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy made of one pair.

    Attributes:
        stage_1_lanes: UNet lanes of stage I.
        stage_2_lanes: UNet lanes of stage II, as recorded.
        finalists_lanes: UNet lanes of stage I of those that went on.
        score: Final score of what it gives out.
        is_best: Whether that is the best of all recorded candidates by final score.
        solved: Whether the reader reads both prompts in it.
    """

    stage_1_lanes: float
    stage_2_lanes: float
    finalists_lanes: float
    score: float
    is_best: bool
    solved: bool


@cache
def play(policy: Policy, pair: Pair) -> Outcome:
    """Return what a policy makes of a pair."""
    rows = pair.rows
    names = {GLIMPSE: f"glimpse_{policy.prune_at:g}", 1: "stage_1", 2: "stage_2"}
    drawn: dict[int, list[int]] = {GLIMPSE: [], 1: [], 2: []}
    running = best_of_n(policy.rules)
    draw = next(running)
    while True:
        drawn[draw.stage] += draw.candidates
        marks = {c: Marks((rows[c][names[draw.stage]],)) for c in draw.candidates}
        try:
            draw = running.send(marks)
        except StopIteration:
            break
    best = ranked({c: Marks((rows[c]["stage_2"],)) for c in drawn[2]})[0]
    pruned = set(drawn[GLIMPSE]) - set(drawn[1])
    lanes = pair.column("stage_1_lanes")
    return Outcome(
        sum(lanes[c] for c in drawn[1]) + policy.prune_at * sum(lanes[c] for c in pruned),
        sum(rows[c]["stage_2_lanes"] for c in drawn[2]),
        sum(lanes[c] for c in drawn[2]),
        rows[best]["stage_2"],
        rows[best]["stage_2"] == max(pair.column("stage_2")),
        rows[best]["solved"],
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """What policies are worth over many pairs, each of which wants one picture.

    Attributes:
        gflop: Per accepted illusion: one in which the reader reads both prompts.
        found_best: Share of the pairs for which it gives out the very best candidate.
        solved: Share of the pairs that it solves.
        still_solved: Share of those that plain best-of-N solves that it solves too.
        score: Mean final score of what it gives out.
    """

    gflop: float
    found_best: float
    solved: float
    still_solved: float
    score: float


def figures(played: Iterable[tuple[Policy, Pair]], cost: Cost) -> Figures:
    """Return the figures of pairs, each with the policy that is used on it."""
    outcomes, plain = [], []
    for policy, pair in played:
        outcomes.append(play(policy, pair))
        plain.append(play(everything(len(pair.rows)), pair))
    solvable = [mine.solved for mine, other in zip(outcomes, plain, strict=True) if other.solved]
    return Figures(
        sum(map(cost.of, outcomes)) / max(1, sum(each.solved for each in outcomes)),
        fmean(each.is_best for each in outcomes),
        fmean(each.solved for each in outcomes),
        fmean(solvable or [0]),
        fmean(each.score for each in outcomes),
    )


def everything(count: int) -> Policy:
    """Return plain best-of-N: every candidate is drawn and upscaled."""
    return Policy(Rules(count, 1, count, finalists=count))


@dataclass(frozen=True, slots=True)
class Sort:
    """Policies of one sort, to choose from, and what must not be lost."""

    name: str
    policies: tuple[Policy, ...]
    recall: Callable[[Figures], float]


ORDERS = 6
"""In how many orders the candidates of a pair are tried."""

BARS = tuple(hundredths / 100 for hundredths in range(30, 95, 5))
"""Least final scores to try."""


def sorts(count: int) -> list[Sort]:
    """Return the sorts of policies for pairs of `count` candidates."""
    plain = everything(count).rules
    finalists = (1, 2, 3, 4, 6)
    funnel = [replace(plain, finalists=n) for n in finalists]
    pruned = [
        Policy(replace(rules, prune_keep=keep), at)
        for rules, at, keep in product(funnel, GLIMPSES, (0.125, 0.1875, 0.25, 0.375, 0.5, 0.75))
        if (rules.finalists or 0) <= keep * count
    ]
    rounds = [
        Policy(Rules(size, 1, count, finalists=n, accept=bar))
        for size, n, bar in product((3, 4, 6, 8), (1, 2), BARS)
    ]
    return [
        Sort("every candidate upscaled", (everything(count),), lambda f: f.found_best),
        Sort("funnel", tuple(map(Policy, funnel)), lambda f: f.found_best),
        Sort("funnel and pruning", tuple(pruned), lambda f: f.found_best),
        Sort("rounds until one is accepted", tuple(rounds), lambda f: f.still_solved),
    ]


def choose(sort: Sort, pairs: Sequence[Pair], cost: Cost) -> Policy:
    """Return the cheapest policy of a sort that loses little, or the one that loses least."""
    ordered = [each for pair in pairs for each in orders(pair)]
    found = [(each, figures([(each, pair) for pair in ordered], cost)) for each in sort.policies]
    able = [each for each in found if sort.recall(each[1]) >= RECALL]
    if able:
        return min(able, key=lambda each: each[1].gflop)[0]
    return max(found, key=lambda each: sort.recall(each[1]))[0]


@cache
def orders(pair: Pair) -> list[Pair]:
    """Return a pair with its candidates in several orders, which rounds depend on."""
    shuffled = [list(pair.rows) for _ in range(ORDERS)]
    for seed, rows in enumerate(shuffled):
        Random(seed).shuffle(rows)
    return [Pair(tuple(rows)) for rows in shuffled]


def halves(pairs: Sequence[Pair]) -> list[tuple[Sequence[Pair], Sequence[Pair]]]:
    """Return the pairs to tune on and those to report, both ways round: every other of a kind."""
    ordered = sorted(pairs, key=lambda pair: (pair.kind, pair.rows[0]["request_id"]))
    return [(ordered[::2], ordered[1::2]), (ordered[1::2], ordered[::2])]


def table(pairs: Sequence[Pair], cost: Cost) -> Iterator[str]:
    """Yield a table of Markdown: what each sort of policy costs and finds."""
    yield (
        f"| {cost.name} | GFLOP per accepted illusion | less by | finds the best | solves what "
        "plain does | mean score |"
    )
    yield "|---|---|---|---|---|---|"
    plain = 0.0
    for sort in sorts(len(pairs[0].rows)):
        played: list[tuple[Policy, Pair]] = []
        for tuning, reporting in halves(pairs):
            policy = choose(sort, tuning, cost)
            played += [(policy, each) for pair in reporting for each in orders(pair)]
        got = figures(played, cost)
        plain = plain or got.gflop
        chosen = "; ".join(dict.fromkeys(describe(policy) for policy, _ in played))
        yield (
            f"| {sort.name}{chosen and f' ({chosen})'} | {got.gflop:,.0f} | "
            f"{plain / got.gflop:.1f}x | {got.found_best:.2f} | {got.still_solved:.2f} | "
            f"{got.score:.3f} |"
        )


def describe(policy: Policy) -> str:
    """Return a policy's settings in words; nothing for plain best-of-N."""
    rules = policy.rules
    if rules.accept is not None:
        return f"{rules.candidates} a round, {rules.finalists} upscaled, accept {rules.accept:.2f}"
    if rules.finalists == rules.candidates:
        return ""
    pruning = f", keep {rules.prune_keep:g} at {policy.prune_at:g}" if rules.prune_keep else ""
    return f"{rules.finalists} upscaled{pruning}"


STEPS = (*(f"glimpse_{share:g}" for share in GLIMPSES), "stage_1")
"""Where a candidate is judged before its end."""


def correlations(pairs: Sequence[Pair]) -> Iterator[str]:
    """Yield a table of Markdown: how an early score foretells the final one."""
    yield "| judged at | rank correlation, anagrams | hybrids | best is in the top 1 | 2 | 4 |"
    yield "|---|---|---|---|---|---|"
    for name in STEPS:
        rho = {
            kind: [
                r
                for pair in pairs
                if pair.kind == kind
                and (r := spearman(pair.column(name), pair.column("stage_2"))) is not None
            ]
            for kind in ("anagram", "hybrid")
        }
        places = [_place_of_best(pair, name) for pair in pairs]
        recall = " | ".join(f"{fmean(p <= k for p in places):.2f}" for k in (1, 2, 4))
        where = "after stage I" if name == "stage_1" else f"{name.removeprefix('glimpse_')} of it"
        yield (
            f"| {where} | {fmean(rho['anagram']):.2f} | {fmean(rho['hybrid'] or [0]):.2f} | "
            f"{recall} |"
        )


def _place_of_best(pair: Pair, name: str) -> int:
    """Return the place, from 1, that an early score gives to the finally best candidate."""
    best = max(pair.rows, key=lambda row: row["stage_2"])
    return 1 + sum(row[name] > best[name] for row in pair.rows)


def curves(pairs: Sequence[Pair], kind: str) -> dict[str, list[float]]:
    """Return by n, from 1: mean best score, share solved by the judge's pick, and by any."""
    own = [
        sorted(pair.rows, key=lambda row: row["stage_2"]) for pair in pairs if pair.kind == kind
    ]
    count = len(own[0])
    found: dict[str, list[float]] = {"score": [], "picked": [], "any": []}
    for n in range(1, count + 1):
        counted = weights(count, n)
        for name, column in (("score", "stage_2"), ("picked", "solved")):
            means = [sum(w * row[column] for w, row in zip(counted, p, strict=True)) for p in own]
            found[name].append(fmean(means))
        good = [sum(row["solved"] for row in pair) for pair in own]
        found["any"].append(fmean(chance(count, each, n) for each in good))
    return found


def draw_curves(pairs: Sequence[Pair], output: Path) -> None:
    """Draw what more candidates bring."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "fundiff", "font.size": 9, "axes.spines.top": False,
                     "axes.spines.right": False}  # fmt: skip
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    for kind, colour in (("anagram", "#a04e26"), ("hybrid", "#3f6b7d")):
        found = curves(pairs, kind)
        n = range(1, len(found["score"]) + 1)
        left.plot(n, found["score"], color=colour, label=f"{kind}s")
        right.plot(n, found["picked"], color=colour, label=f"{kind}s, the judge's pick")
        right.plot(n, found["any"], color=colour, linestyle=":", label=f"{kind}s, any")
    left.set(xlabel="candidates", ylabel="expected best score")
    right.set(xlabel="candidates", ylabel="share of pairs solved", ylim=(0, 1))
    left.legend(frameon=False)
    right.legend(frameon=False)
    figure.savefig(output, metadata={"Date": None})


def read_pairs(path: Path) -> list[Pair]:
    """Return the recorded candidates, pair by pair."""
    found: dict[str, list[Row]] = {}
    for row in pq.read_table(path).to_pylist():
        found.setdefault(row["request_id"], []).append(row)
    return [Pair(tuple(rows)) for rows in found.values()]


def report(pairs: Sequence[Pair]) -> Iterator[str]:
    """Yield the lines of the tables."""
    yield from correlations(pairs)
    for cost in COSTS:
        yield ""
        yield from table(pairs, cost)


def main() -> None:
    """Print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path)
    given = parser.parse_args()
    pairs = read_pairs(given.records)
    print("\n".join(report(pairs)))
    draw_curves(pairs, given.records.with_name("curves.svg"))


if __name__ == "__main__":
    main()
