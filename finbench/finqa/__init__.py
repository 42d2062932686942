"""Pages of filings, as FinQA and ConvFinQA have them, and the same questions asked over other numbers.

In goes a row of the dataset (text, table, question, program, two golds); out come the mended page, what the golds say of
each other, the executed program, and a variant of the row over new numbers with the proof that it holds.

Read first: page.py (a page as a prompt shows it), golds.py (its two answers), programs.py (FinQA's program language).
Resampling: resample.py draws (draws.py) new numbers for all that belongs together on a page (page_relations.py, from
table_relations.py and text_relations.py), rewrites figures.py and questions.py, and proof.py checks it from outside.
"""

__all__ = ["golds", "page", "page_relations", "programs", "proof", "questions", "resample"]
