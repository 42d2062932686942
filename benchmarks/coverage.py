"""How often the intervals hold the truth, and how often a test cries wolf: a simulation of what finbench prints.

    python benchmarks/coverage.py                                        # all settings, 2,000 draws each
    python benchmarks/coverage.py --kinds difference --n 1147 --draws 10000
    python benchmarks/coverage.py --draws 300                            # a first look

Questions come alone, in conversations as long as ConvFinQA's, or in pages with as many questions as FinQA's have; their
answers are correlated within a cluster (beta-binomial). Printed are coverage of the nominal 95 % with the standard error
that the number of draws leaves it, mean width in points, the share that an interval without clusters would cover, and,
where two equal runs are compared, the share of p-values below 0.05.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from finbench.scores.intervals import Estimate, average_of, estimate, macro_f1_estimate, wilson
from finbench.scores.significance import Difference, average_difference, paired

# Turns of ConvFinQA's test conversations, counted: 124 of two turns, 113 of three, ...
SIZES = np.repeat([2, 3, 4, 5, 6, 7], [124, 113, 86, 79, 29, 3])
# Questions about one page in FinQA's test split, counted: 29 pages with one, 117 with two, ...
PAGES = np.repeat([1, 2, 3, 4, 5, 6], [29, 117, 63, 162, 7, 2])
# What no shipped task has and a task of somebody's own may have: a twentieth of the clusters with most of the questions.
UNEVEN = np.repeat([1, 30], [95, 5])
NS = (50, 100, 150, 300, 500, 1000, 1490)
MEANS = (0.3, 0.5, 0.76, 0.85, 0.95)
SAMENESS = (0.0, 0.2, 0.56)  # correlation within a conversation; 0.56 was measured on ConvFinQA
FEW = 5.0  # fewer independent mistakes than this are too few for any interval to be exact
# The columns of the average: questions, what clusters hold, truth, correlation within a cluster. The fifth is small.
FIVE = ((1147, PAGES, 0.76, 0.2), (1490, SIZES, 0.84, 0.56), (2343, None, 0.81, 0.0), (2388, None, 0.71, 0.0),
        (150, None, 0.62, 0.0))  # fmt: skip

Ends = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """Coverage of one setting. `events` is the number of independent mistakes (or hits, if fewer) to be expected.

    `rejected` is the share of p-values below 0.05 where nothing differs, else None.
    """

    kind: str
    n: int
    mean: float
    sameness: float
    coverage: float
    width: float
    draws: int
    events: float
    naive: float | None = None
    rejected: float | None = None


def clustered(rng: np.random.Generator, n: int, sizes: np.ndarray = SIZES) -> np.ndarray:
    """The cluster of each of n questions; the last cluster may be cut."""
    return np.repeat(np.arange(n), rng.choice(sizes, n))[:n]


def correlated(rng: np.random.Generator, codes: np.ndarray, mean: float, sameness: float) -> np.ndarray:
    """Yes or no for every question, with the given correlation within a cluster."""
    chances = np.full(len(codes), mean)
    if sameness:
        weight = (1 - sameness) / sameness
        chances = rng.beta(mean * weight, (1 - mean) * weight, len(codes))
    return rng.random(len(codes)) < chances[codes]


def names(codes: np.ndarray) -> list[str]:
    return [f"c{code}" for code in codes]


def ends_of(found: Estimate | Difference) -> Ends:
    return found.low, found.high


def covered(ends: Sequence[Ends], truth: float) -> tuple[float, float]:
    """Share of the intervals that hold the truth, and their mean width in points."""
    found = np.array(ends)
    inside = (found[:, 0] <= truth) & (truth <= found[:, 1])
    return float(inside.mean()), 100 * float((found[:, 1] - found[:, 0]).mean())


def alone(rng: np.random.Generator, draws: int, ns: Sequence[int]) -> Iterator[Line]:
    """One 0/1 score a question, without clusters: Wilson's interval."""
    for n in ns:
        for mean in MEANS:
            ends = [wilson(right / n, n) for right in rng.binomial(n, mean, draws)]
            yield Line("alone", n, mean, 0.0, *covered(ends, mean), draws, n * min(mean, 1 - mean))


def single(rng: np.random.Generator, draws: int, ns: Sequence[int]) -> Iterator[Line]:
    """One 0/1 score a question, in conversations."""
    for n in ns:
        for mean in MEANS:
            for sameness in SAMENESS:
                ends, naive, effects = [], [], []
                for _ in range(draws):
                    codes = clustered(rng, n)
                    found = estimate(correlated(rng, codes, mean, sameness), names(codes))
                    ends.append(ends_of(found))
                    naive.append(wilson(found.mean, n))
                    effects.append(1 + sameness * (np.mean(np.bincount(codes) ** 2) / np.mean(np.bincount(codes)) - 1))
                events = n * min(mean, 1 - mean) / float(np.mean(effects))
                plain = covered(naive, mean)[0]
                yield Line("clustered", n, mean, sameness, *covered(ends, mean), draws, events, plain)


def repeats(rng: np.random.Generator, draws: int, ns: Sequence[int]) -> Iterator[Line]:
    """Four repeats per question, averaged first."""
    for n in ns:
        for mean in (0.5, 0.76, 0.95):
            ends = []
            for _ in range(draws):
                chances = rng.beta(0.5 * mean, 0.5 * (1 - mean), n)
                ends.append(ends_of(estimate(rng.binomial(4, chances) / 4)))
            yield Line("4 repeats", n, mean, 0.0, *covered(ends, mean), draws, n * min(mean, 1 - mean))


def whole(rng: np.random.Generator, draws: int, ns: Sequence[int]) -> Iterator[Line]:
    """The share of conversations with every turn right; `n` counts turns, `mean` the share of right turns."""
    for n in ns:
        groups = round(n / SIZES.mean())
        for mean in MEANS:
            for sameness in SAMENESS:
                weight = (1 - sameness) / sameness if sameness else 0.0
                # The chance that k turns are right, all with the same beta-distributed chance.
                rises = [(mean * weight + i) / (weight + i) if sameness else mean for i in range(SIZES.max())]
                truth = float(np.cumprod(rises)[SIZES - 1].mean())
                ends = []
                for _ in range(draws):
                    codes = np.repeat(np.arange(groups), rng.choice(SIZES, groups))
                    right = np.bincount(codes, ~correlated(rng, codes, mean, sameness)) == 0
                    ends.append(ends_of(estimate(right)))
                events = groups * min(truth, 1 - truth)
                yield Line("conversation", n, truth, sameness, *covered(ends, truth), draws, events)


def compared(rng: np.random.Generator, n: int, sizes: np.ndarray | None, truth: float, differ: float, sameness: float,
             ) -> Difference:  # fmt: skip
    """Two runs on n questions, `differ` of which they answer differently, the second `truth` worse in the mean."""
    codes = np.arange(n) if sizes is None else clustered(rng, n, sizes)
    apart = correlated(rng, codes, differ, sameness)
    better = correlated(rng, codes, 0.5 + truth / (2 * differ), sameness)
    return paired(apart & better, apart & ~better, None if sizes is None else names(codes))


def differences(rng: np.random.Generator, draws: int, ns: Sequence[int]) -> Iterator[Line]:
    """Two runs on the same questions, in conversations, on pages, or alone; `mean` is the true difference."""
    settings = [("difference", SIZES, sameness) for sameness in SAMENESS]
    settings += [("of pages", PAGES, sameness) for sameness in SAMENESS] + [("of the lone", None, 0.0)]
    yield from between(rng, draws, ns, settings)


def uneven(rng: np.random.Generator, draws: int, ns: Sequence[int]) -> Iterator[Line]:
    """One score, and two runs compared, where few clusters hold most of the questions."""
    for n in ns:
        for mean in (0.5, 0.8):
            for sameness in (0.2, 0.56):
                ends = []
                for _ in range(draws):
                    codes = clustered(rng, n, UNEVEN)
                    ends.append(ends_of(estimate(correlated(rng, codes, mean, sameness), names(codes))))
                yield Line("uneven score", n, mean, sameness, *covered(ends, mean), draws, n * (1 - mean) / 20)
    yield from between(rng, draws, ns, [("of uneven", UNEVEN, sameness) for sameness in (0.2, 0.56)])


def between(
    rng: np.random.Generator, draws: int, ns: Sequence[int], settings: Sequence[tuple[str, np.ndarray | None, float]]
) -> Iterator[Line]:
    """The lines of paired differences for these kinds of clusters."""
    for n in ns:
        for kind, sizes, sameness in settings:
            for truth, differ in ((0.0, 0.3), (0.0, 0.1), (0.03, 0.3), (0.1, 0.3)):
                found = [compared(rng, n, sizes, truth, differ, sameness) for _ in range(draws)]
                rejected = None if truth else sum(one.p < 0.05 for one in found) / draws
                shares = covered([ends_of(one) for one in found], truth)
                yield Line(kind, n, truth, sameness, *shares, draws, differ * n / 2, rejected=rejected)


def averages(rng: np.random.Generator, draws: int, ns: Sequence[int]) -> Iterator[Line]:
    """The mean of five tasks, and the mean of the differences in five; `n` is the sum of the five."""
    n = sum(column[0] for column in FIVE)
    ends = []
    for _ in range(draws):
        parts = []
        for size, sizes, mean, sameness in FIVE:
            codes = np.arange(size) if sizes is None else clustered(rng, size, sizes)
            right = correlated(rng, codes, mean, sameness)
            parts.append(estimate(right, None if sizes is None else names(codes)))
        ends.append(ends_of(average_of(parts)))
    truth = sum(column[2] for column in FIVE) / len(FIVE)
    yield Line("average", n, truth, 0.56, *covered(ends, truth), draws, 57.0)
    for truth in (0.0, 0.03):
        found = []
        for _ in range(draws):
            each = [compared(rng, size, sizes, truth, 0.3, sameness) for size, sizes, _, sameness in FIVE]
            found.append(average_difference(each))
        rejected = None if truth else sum(one.p < 0.05 for one in found) / draws
        shares = covered([ends_of(one) for one in found], truth)
        yield Line("avg. of diff.", n, truth, 0.56, *shares, draws, 22.0, rejected=rejected)


def macro(rng: np.random.Generator, draws: int, ns: Sequence[int]) -> Iterator[Line]:
    """Macro-F1 of three uneven classes, as in TFNS, with the product's 10,000 resamples."""
    prior = np.array([0.65, 0.2, 0.15])
    for n in ns:
        for accuracy in (0.6, 0.8, 0.95):
            table = np.full((3, 3), (1 - accuracy) / 2)
            np.fill_diagonal(table, accuracy)
            joint = table * prior[:, None]
            truth = float(np.mean(2 * np.diag(joint) / (joint.sum(0) + joint.sum(1))))
            ends = []
            for _ in range(draws):
                cells = rng.choice(9, n, p=joint.ravel() / joint.sum())
                golds, named = [str(c // 3) for c in cells], [str(c % 3) for c in cells]
                ends.append(ends_of(macro_f1_estimate(golds, named, classes=("0", "1", "2"))))
            yield Line("macro-F1", n, truth, 0.0, *covered(ends, truth), draws, n * (1 - accuracy))


KINDS: dict[str, Callable[[np.random.Generator, int, Sequence[int]], Iterator[Line]]] = {
    "alone": alone,
    "clustered": single,
    "repeats": repeats,
    "conversation": whole,
    "difference": differences,
    "uneven": uneven,
    "average": averages,
    "macro": macro,
}


def main() -> None:
    """Print one line per setting, then a summary per kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"some of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--n", default=",".join(map(str, NS)), help="numbers of questions, comma-separated")
    parser.add_argument("--seed", type=int, default=20250320)
    args = parser.parse_args()
    lines = []
    print(f"{'kind':<14}{'n':>5}{'truth':>7}{'corr.':>7}{'covered':>9}{'+-':>5}{'width':>7}{'unclust.':>9}"
          f"{'p<.05':>7}{'+-':>5}{'events':>8}")  # fmt: skip
    for kind in args.kinds.split(","):
        rng = np.random.default_rng(args.seed)
        for line in KINDS[kind](rng, args.draws, [int(n) for n in args.n.split(",")]):
            lines.append(line)
            show(line)
    for name in dict.fromkeys(line.kind for line in lines):
        shares = [100 * line.coverage for line in lines if line.kind == name and line.events >= FEW]
        if shares:
            inside = sum(93 <= share <= 97 for share in shares)
            print(
                f"{name}: {inside} of {len(shares)} settings with {FEW:.0f} mistakes or more within 93 to 97 %,",
                end=" ",
            )
            print(f"from {min(shares):.1f} to {max(shares):.1f}, mean {np.mean(shares):.1f}")
        wolf = [100 * line.rejected for line in lines if line.kind == name and line.rejected is not None]
        if wolf:
            print(f"{name}: p below 0.05 in {min(wolf):.1f} to {max(wolf):.1f} %, mean {np.mean(wolf):.1f}")


def show(line: Line) -> None:
    """One row of the table; shares in percent, each beside its standard error over the draws."""

    def share(value: float | None, width: int) -> str:
        return f"{100 * value:>{width}.1f}" if value is not None else " " * width

    def error(value: float | None) -> str:
        return share(None if value is None else (value * (1 - value) / line.draws) ** 0.5, 5)

    print(
        f"{line.kind:<14}{line.n:>5}{line.mean:>7.2f}{line.sameness:>7.2f}{share(line.coverage, 9)}{error(line.coverage)}"
        f"{line.width:>7.1f}{share(line.naive, 9)}{share(line.rejected, 7)}{error(line.rejected)}{line.events:>8.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
