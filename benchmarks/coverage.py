"""How often the intervals hold the truth: a simulation of what finbench prints.

    python benchmarks/coverage.py                 # all settings, 2,000 draws each: about five minutes on one core
    python benchmarks/coverage.py --draws 300     # a first look

Questions come alone, or in conversations as long as ConvFinQA's, with correlated answers (beta-binomial).
Printed are coverage of the nominal 95 %, mean width in points, and the share that a width without clusters would cover.
The chance error of one line is 0.5 points at 2,000 draws.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from finbench.scores.intervals import estimate, macro_f1_estimate, wilson
from finbench.scores.significance import paired

# Turns of ConvFinQA's test conversations, counted: 124 of two turns, 113 of three, ...
SIZES = np.repeat([2, 3, 4, 5, 6, 7], [124, 113, 86, 79, 29, 3])
NS = (50, 100, 150, 300, 500, 1000, 1490)
MEANS = (0.3, 0.5, 0.76, 0.85, 0.95)
SAMENESS = (0.0, 0.2, 0.56)  # correlation within a conversation; 0.56 was measured on ConvFinQA
FEW = 5.0  # fewer independent mistakes than this are too few for any interval to be exact


@dataclass(frozen=True, slots=True)
class Line:
    """Coverage of one setting. `events` is the number of independent mistakes (or hits, if fewer) to be expected."""

    kind: str
    n: int
    mean: float
    sameness: float
    coverage: float
    width: float
    naive: float
    events: float


def conversations(rng: np.random.Generator, n: int) -> np.ndarray:
    """The conversation of each of n turns."""
    return np.repeat(np.arange(n), rng.choice(SIZES, n))[:n]


def correlated(rng: np.random.Generator, codes: np.ndarray, mean: float, sameness: float) -> np.ndarray:
    """Yes or no for every turn, with the given correlation within a conversation."""
    chances = np.full(len(codes), mean)
    if sameness:
        weight = (1 - sameness) / sameness
        chances = rng.beta(mean * weight, (1 - mean) * weight, len(codes))
    return rng.random(len(codes)) < chances[codes]


def covered(ends: list[tuple[float, float]], truth: float) -> tuple[float, float]:
    """Share of the intervals that hold the truth, and their mean width in points."""
    found = np.array(ends)
    return float(((found[:, 0] <= truth) & (truth <= found[:, 1])).mean()), 100 * float(
        (found[:, 1] - found[:, 0]).mean()
    )


def single(rng: np.random.Generator, draws: int) -> Iterator[Line]:
    """One score, alone and clustered."""
    for n in NS:
        for mean in MEANS:
            rare = min(mean, 1 - mean)
            yield alone(rng, draws, n, mean)
            for sameness in SAMENESS:
                ends, naive, effects = [], [], []
                for _ in range(draws):
                    codes = conversations(rng, n)
                    found = estimate(correlated(rng, codes, mean, sameness), [f"c{code}" for code in codes])
                    ends.append((found.low, found.high))
                    naive.append(wilson(found.mean, n))
                    effects.append(1 + sameness * (np.mean(np.bincount(codes) ** 2) / np.mean(np.bincount(codes)) - 1))
                coverage, width = covered(ends, mean)
                events = n * rare / float(np.mean(effects))
                yield Line("clustered", n, mean, sameness, coverage, width, covered(naive, mean)[0], events)


def alone(rng: np.random.Generator, draws: int, n: int, mean: float) -> Line:
    """0/1 scores without clusters: Wilson's interval."""
    ends = [wilson(right / n, n) for right in rng.binomial(n, mean, draws)]
    coverage, width = covered(ends, mean)
    return Line("alone", n, mean, 0.0, coverage, width, coverage, n * min(mean, 1 - mean))


def repeats(rng: np.random.Generator, draws: int) -> Iterator[Line]:
    """Four repeats per question, averaged first."""
    for n in NS:
        for mean in (0.5, 0.76, 0.95):
            ends = []
            for _ in range(draws):
                chances = rng.beta(0.5 * mean, 0.5 * (1 - mean), n)
                found = estimate(rng.binomial(4, chances) / 4)
                ends.append((found.low, found.high))
            coverage, width = covered(ends, mean)
            yield Line("4 repeats", n, mean, 0.0, coverage, width, coverage, n * min(mean, 1 - mean))


def differences(rng: np.random.Generator, draws: int) -> Iterator[Line]:
    """Two runs on the same questions; `mean` is the true difference, in conversations with correlated disagreement."""
    for n in NS:
        for truth in (0.0, 0.03, 0.10):
            for sameness in SAMENESS:
                ends = []
                for _ in range(draws):
                    codes = conversations(rng, n)
                    differ = correlated(rng, codes, 0.3, sameness)
                    better = correlated(rng, codes, 0.5 + truth / 0.6, sameness)
                    found = paired(
                        differ & better, differ & ~better, [f"c{code}" for code in codes] if sameness else None
                    )
                    ends.append((found.low, found.high))
                coverage, width = covered(ends, truth)
                yield Line("difference", n, truth, sameness, coverage, width, coverage, 0.15 * n)


def macro(rng: np.random.Generator, draws: int) -> Iterator[Line]:
    """Macro-F1 of three uneven classes, as in TFNS."""
    prior = np.array([0.65, 0.2, 0.15])
    for n in (100, 500, 1000):
        for accuracy in (0.6, 0.8, 0.95):
            table = np.full((3, 3), (1 - accuracy) / 2)
            np.fill_diagonal(table, accuracy)
            joint = table * prior[:, None]
            truth = float(np.mean(2 * np.diag(joint) / (joint.sum(0) + joint.sum(1))))
            ends = []
            for _ in range(draws):
                cells = rng.choice(9, n, p=joint.ravel() / joint.sum())
                golds, named = [str(c // 3) for c in cells], [str(c % 3) for c in cells]
                found = macro_f1_estimate(golds, named, classes=("0", "1", "2"), resamples=1000)
                ends.append((found.low, found.high))
            coverage, width = covered(ends, truth)
            yield Line("macro-F1", n, truth, 0.0, coverage, width, coverage, n * (1 - accuracy))


def main() -> None:
    """Print one line per setting, then a summary per kind."""
    parser = argparse.ArgumentParser(description="Coverage of finbench's intervals, by simulation.")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20250320)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    lines = []
    print(f"{'kind':<12}{'n':>6}{'truth':>8}{'corr.':>7}{'covered':>9}{'width':>8}{'unclustered':>13}{'events':>8}")
    for kind in (single, repeats, differences):
        for line in kind(rng, args.draws):
            lines.append(line)
            show(line)
    for line in macro(rng, max(200, args.draws // 5)):
        lines.append(line)
        show(line)
    for name in dict.fromkeys(line.kind for line in lines):
        shares = [100 * line.coverage for line in lines if line.kind == name and line.events >= FEW]
        inside = sum(93 <= share <= 97 for share in shares)
        print(f"{name}: {inside} of {len(shares)} settings with {FEW:.0f} mistakes or more within 93 to 97 %,", end=" ")
        print(f"from {min(shares):.1f} to {max(shares):.1f}, mean {np.mean(shares):.1f}")


def show(line: Line) -> None:
    print(
        f"{line.kind:<12}{line.n:>6}{line.mean:>8.2f}{line.sameness:>7.2f}{100 * line.coverage:>9.1f}{line.width:>8.1f}"
        f"{100 * line.naive:>13.1f}{line.events:>8.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
