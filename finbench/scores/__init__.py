"""From counts to statements: intervals, tests, published scores, the leaderboard's table, two runs compared.

In go verdicts as they are made (`tally`), or the files that runs leave (`samples`, `leaderboard`, `compare`); out come
estimates with intervals, paired differences, and rows that may or may not be compared. No engine, no store, no page.

Read first: intervals.py (an estimate and its interval) and tally.py (what is counted of a task), then averages.py
(their mean). aggregates.py has metrics and groups as lm-eval sums them up, significance.py the tests, published.py the
reported rows with their sources, agreement.py a run beside them, leaderboard.py the table, align.py and compare.py two
runs question by question, settings.py what else differs between them, resampled.py a score on new numbers, samples.py
the files.
"""

__all__ = [
    "aggregates",
    "agreement",
    "align",
    "averages",
    "compare",
    "intervals",
    "leaderboard",
    "published",
    "resampled",
    "samples",
    "significance",
    "tally",
]
