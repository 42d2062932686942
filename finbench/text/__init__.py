"""What any text says: characters, numbers, units, words, small sums. It knows no reply, no question and no gold.

In goes text of any origin (a reply, a filing, a gold); out come normalised characters whose offsets still fit, the
quantities a text names with their sign, unit and scale, numerals written in words, and closed forms as exact values.
Everything is exact (`Fraction`, `Decimal`), bounded and linear in the text.

The words are data: lexicon/*.toml, one file a language, read by lexicon.py.

Read first: quantities.py (a text's numbers) with digits.py (one number) and units.py (what stands beside it).
normalize.py folds characters; wording.py has signs, bounds and dates in words; numerals.py numbers in words;
arithmetic.py closed forms; stated.py the numbers of a calculation, as the audit and resampling read them.
"""

__all__ = ["arithmetic", "lexicon", "normalize", "quantities", "stated", "wording"]
