"""A written row in FinQA's form and its variant, for the tests of pages, draws and proofs."""

from __future__ import annotations

from typing import Any

from finbench.finqa.resample import Variant, variant


def page(**qa: Any) -> dict[str, Any]:
    """A row in FinQA's form."""
    return {
        "id": "SAMPLE/X/2019/page_1.pdf-1",
        "filename": "SAMPLE/X/2019/page_1.pdf",
        "pre_text": [
            "net sales grew 12.3% ( 12.3 % ) to $ 6.4 billion in 2019 , see note 12 .",
            "on june 30 , 2019 we had 12 sites .",
        ],
        "post_text": ["the loss was $ 36.2 million ."],
        "table": [
            ["( in millions )", "2019", "2018"],
            ["net sales", "$ 6421.5", "$ 5718.2"],
            ["other income", "118.4", "97.9"],
            ["total", "$ 6539.9", "$ 5816.1"],
            ["loss", "-36.2 ( 36.2 )", "-41.8 ( 41.8 )"],
        ],
        "qa": {
            "question": "what was the growth of net sales from $ 5718.2 million?",
            "answer": "12.3%",
            "exe_ans": 0.12299,
            "program": "subtract(6421.5, 5718.2), divide(#0, 5718.2)",
        }
        | qa,
    }


def made(row: dict[str, Any], seed: int = 7) -> Variant:
    found = variant(row, seed)
    assert isinstance(found, Variant), found
    return found
