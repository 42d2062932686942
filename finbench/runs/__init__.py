"""One run: planned, asked, stored, graded, summed up, and written as files; any half again at any time.

In go settings; out comes a folder with every prompt, reply and verdict in SQLite, and the files made from it. Two halves
meet in the store only: asking costs GPU hours, grading seconds.

Read first: execute.py (the conductor: it alone knows the order), then plan.py (settings -> plan). pending.py is what is
still to be asked, store.py what was answered, refusals.py why a store is not opened; scoring.py gives verdicts, in
grading_process.py beside the run; files.py and manifest.py are what is left behind, cost.py its price; rescore.py grades
a run again, or logs/ of other tools; judge.py asks a model for verdicts, audit.py audits a whole run, profiles.py says how
a model is asked.
"""

__all__ = ["audit", "execute", "logs", "plan", "rescore", "store"]
