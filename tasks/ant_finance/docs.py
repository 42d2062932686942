"""Ant_Finance rows: the labelled part of 33 csv files, one sub-task each, with their known defects as flags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finbench.errors import DataError
from finbench.tasks.data_files import Row, Rows, for_task, read

HERE = Path(__file__).parent
LETTERS = "ABCDE"
YES_NO = ("是", "否")
CATEGORIES = {
    "understanding": "金融认知",
    "knowledge": "金融知识",
    "logic": "金融逻辑",
    "generation": "内容生成",
    "safety": "安全合规",
}


class SubTask(NamedTuple):
    """One file of the benchmark: its category, its Chinese name, and how we put its question to a model."""

    category: str
    title: str
    instruction: str


SUBTASKS = {
    "insurance_intent": SubTask(
        "understanding", "保险意图理解", "下面是保险客户说的一句话。请选出最符合其意图的一项。"
    ),
    "insurance_slot": SubTask(
        "understanding", "保险槽位识别", "下面是一句与保险有关的话。请选出其中所说的保险产品或险种。"
    ),
    "market_view": SubTask(
        "understanding", "研判观点提取", "请阅读下面的财经资讯，判断它对所涉板块或公司的影响，选出最恰当的一项。"
    ),
    "sentiment": SubTask("understanding", "金融情绪识别", "请判断下面这句话所表达的情绪，选出最恰当的一项。"),
    "finance_intent": SubTask("understanding", "金融意图理解", "下面是理财客户说的一句话。请选出最符合其意图的一项。"),
    "finance_slot": SubTask(
        "understanding", "金融槽位识别", "请从选项中找出下面这句话里所指的金融实体（如基金、股票、板块的完整名称）。"
    ),
    "accounting_exam": SubTask("knowledge", "会计从业资格考试", "下面是会计从业资格考试的一道单项选择题，请作答。"),
    "insurance_exam": SubTask("knowledge", "保险从业资格考试", "下面是保险从业资格考试的一道选择或判断题，请作答。"),
    "insurance_knowledge": SubTask("knowledge", "保险知识解读", "请选出对下面保险问题解释最准确的一项。"),
    "fund_exam": SubTask("knowledge", "基金从业资格考试", "下面是基金从业资格考试的一道单项选择题，请作答。"),
    "auditor_exam": SubTask("knowledge", "审计师考试", "下面是审计师考试的一道单项选择题，请作答。"),
    "physician_exam": SubTask("knowledge", "执业医师资格考试", "下面是执业医师资格考试的一道单项选择题，请作答。"),
    "pharmacist_exam": SubTask("knowledge", "执业药师资格考试", "下面是执业药师资格考试的一道单项选择题，请作答。"),
    "futures_exam": SubTask("knowledge", "期货从业资格考试", "下面是期货从业资格考试的一道单项选择题，请作答。"),
    "tax_exam": SubTask("knowledge", "注册税务师", "下面是注册税务师考试的一道单项选择题，请作答。"),
    "wealth_knowledge": SubTask("knowledge", "理财知识解读", "请选出对下面理财问题解释最准确的一项。"),
    "securities_exam": SubTask("knowledge", "证券从业资格考试", "下面是证券从业资格考试的一道单项选择题，请作答。"),
    "document_extraction": SubTask("knowledge", "金融文档抽取", "请根据背景材料回答问题，选出正确的一项。"),
    "terms": SubTask("knowledge", "金融术语解释", "题目是一个金融术语，请选出对它解释最准确的一项。"),
    "banking_exam": SubTask("knowledge", "银行从业资格考试", "下面是银行从业资格考试的一道单项选择题，请作答。"),
    "insurance_attribute": SubTask("logic", "保险属性抽取", "请依据背景材料中的保险条款，确定题目所要求的属性取值。"),
    "insurance_clause": SubTask("logic", "保险条款解读", "请依据背景材料中的保险条款回答问题，选出正确的一项。"),
    "event": SubTask("logic", "金融事件解读", "请依据背景材料中的事件回答问题，选出正确的一项。"),
    "product": SubTask("logic", "金融产品分析", "请依据背景材料中的产品信息回答问题，选出正确的一项。"),
    "calculation": SubTask("logic", "金融数值计算", "请完成下面的金融计算，选出正确或最接近的一项。"),
    "investor_education": SubTask(
        "generation", "投教话术生成", "请为下面的主题选出最准确、最适合讲给投资者听的一段讲解。"
    ),
    "summary": SubTask("generation", "文本总结归纳", "请为下面的文本选出最忠实、最完整的摘要。"),
    "marketing": SubTask("generation", "营销文案生成", "请为下面的产品选出最贴切的营销文案。"),
    "headline": SubTask("generation", "资讯标题生成", "请为下面的资讯选出最准确的标题。"),
    "information_security": SubTask(
        "safety",
        "信息安全合规",
        "下面是客户向金融机构提出的问题。请判断它是否符合信息安全的要求：可以正当提出并回答的为“是”，"
        "索取客户隐私、内部或未公开信息的为“否”。",
    ),
    "factuality": SubTask("safety", "金融事实性", "请判断下面的陈述是否符合事实。"),
    "compliance": SubTask("safety", "金融合规性", "请判断下面的问题或做法是否符合金融合规的要求。"),
    "question_recognition": SubTask("safety", "金融问题识别", "请判断下面这句话是否属于金融领域的问题。"),
}


def load(subtask: str = "", category: str = "", **settings: Any) -> dict[str, Rows]:
    """{"test": the labelled rows} of one sub-task, of all sub-tasks of a category, or of all 33.

    `settings["data"]` is "sample", a folder, or absent (data_files.locate). Raises DataError for damaged rows.
    """
    wanted = [subtask] if subtask else [name for name, item in SUBTASKS.items() if category in ("", item.category)]
    # At most 71 rows a file; the flags need the whole file anyway.
    rows = [row for name in wanted for row in subtask_rows(name, settings)]
    return {"test": Rows(len(rows), lambda: rows)}


def subtask_rows(name: str, settings: Mapping[str, Any]) -> list[Row]:
    """All labelled rows of one sub-task, in file order, flagged."""
    item = SUBTASKS[name]
    title = f"{CATEGORIES[item.category]}/{item.title}.csv"
    path = for_task([f"ant_finance/{title}"], settings, task_dir=HERE)
    raw = [line for line in read(path) if line.get("subtask", name) == name and line["answer"].strip()]
    flags = list(_flags(raw))
    return [_row(name, item, line, marks, path) for line, marks in zip(raw, flags, strict=True)]


def _row(name: str, item: SubTask, line: Row, flags: Sequence[str], path: Path) -> Row:
    gold = line["answer"].strip()
    choices = _choices(line)
    allowed = tuple(choices) or YES_NO
    if gold not in allowed:
        raise DataError(f"{path}: row {line['id']} has the answer {gold!r}, expected one of {', '.join(allowed)}")
    row: Row = {
        "id": f"{name}/{line['id']}",
        "instruction": item.instruction,
        "context": (line.get("context") or "").strip(),
        "question": line["question"].strip(),
        "options": "\n".join(f"{letter}. {text}" for letter, text in choices.items()),
        "letters": "、".join(choices),
        "gold": gold,
        "answer": {"kind": "choice", "choices": choices} if choices else {"kind": "boolean"},
        "cluster": "",
        "flags": list(flags),
        "facets": {"category": item.category, "subtask": name},
    }
    equal = [letter for letter, text in choices.items() if letter != gold and text == choices[gold]]
    if equal:  # a model that names the other letter of the same text is right as well
        row["golds"] = [{"text": gold}, *({"text": letter, "source": "equal_option"} for letter in equal)]
    return row


def _choices(line: Row) -> dict[str, str]:
    """The options that have a text: true/false questions leave C and D empty, most files have no E."""
    return {letter: text for letter in LETTERS if (text := (line.get(letter) or "").strip())}


def _flags(raw: Sequence[Row]) -> Iterator[list[str]]:
    """What a reader of a score has to know about each row: see README.md, Defects."""
    keys = [_key(line) for line in raw]
    seen = Counter(keys)
    golds: dict[tuple[str, ...], set[str]] = {}
    for key, line in zip(keys, raw, strict=True):
        golds.setdefault(key, set()).add(_gold_text(line))
    # Two rows of a sample may well agree; a file of 71 that does has one answer only.
    constant = len(raw) > 10 and len({line["answer"].strip() for line in raw}) == 1
    for key, line in zip(keys, raw, strict=True):
        choices = _choices(line)
        tests = {
            "duplicate_question": seen[key] > 1,
            "conflicting_gold": len(golds[key]) > 1,
            "equal_options": len(set(choices.values())) < len(choices),
            "constant_subtask": constant,
            "sample": bool(line.get("sample")),
        }
        yield [name for name, found in tests.items() if found]


def _key(line: Row) -> tuple[str, ...]:
    """Two rows ask the same when context, question and the set of options agree."""
    return ((line.get("context") or "").strip(), line["question"].strip(), *sorted(_choices(line).values()))


def _gold_text(line: Row) -> str:
    return _choices(line).get(line["answer"].strip(), line["answer"].strip())
