"""What people look at: the report of a run, the leaderboard, comparisons, drawn audits, exports.

In go files of runs and tables of scores/; out come self-contained HTML, Markdown, SVG, CSV and LaTeX. Foreign text passes
one door (html.py), and templates do no arithmetic.

Read first: html.py (templates, escaping, plain words), then report.py or leaderboard.py. report_data.py gathers what a
report counts, leaderboard_rows.py what a row prints, drilldown.py the samples behind a score, audit_marks.py the audit
drawn into a reply, comparison.py two runs, plots.py the figures, exports.py the table for other programs.
"""

__all__ = ["comparison", "exports", "leaderboard", "report"]
