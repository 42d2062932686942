"""Answers without a model: simple.py (oracle, majority, constant, longest) and heuristic.py, an attempt by rules over
page_rules.py, page_figures.py and dialogue_rules.py."""
