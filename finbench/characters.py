"""Characters and markup: one spelling for digits, signs and punctuation, and LaTeX or markdown taken off.

Everything here is linear in the length of the text. Characters are mapped by a table and not by NFKC, which would turn
a raised 2 after 3.1 into 3.12.
"""

from __future__ import annotations

import re
from collections import deque

THIN = "\u2009"  # every narrow or unbreakable blank becomes this one, a digit separator

# First code points of decimal digit rows (Unicode category Nd): Arabic, Persian, Devanagari, Bengali, Gurmukhi,
# Gujarati, Tamil, Thai, Lao, Tibetan, Khmer, Mongolian, full-width, and the mathematical alphabets.
_DIGIT_ROWS: tuple[int, ...] = (
    0x660,
    0x6F0,
    0x966,
    0x9E6,
    0xA66,
    0xAE6,
    0xBE6,
    0xE50,
    0xED0,
    0xF20,
    0x17E0,
    0x1810,
    0xFF10,
)
_DIGIT_ROWS += (0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6)

# Traditional forms of the characters that the patterns and tables of this package use, each with its simplified form.
_TRADITIONAL = (
    "並佔併來個們備傢債傾僅價億儘內兩凈別則劃動區協卽參叄問單噸噹嚮圍圖報塊夠實寫將對屬帶幣幾彆後從應戶捨"
    "損擇據數斷於旣昇時曏會査條極標樣檢歐決沒況淨減準漲潤為無爲獨獲現環產産異當盡眞確稅種積穫箇範簡簽籤糾"
    "約級終結給綜緒練緻縮總習聞脩與萬蔘號虧衕見規視觀計許註証話該誤說説調請論證變讓負責貳費資較輪轉迴這週"
    "過達選還錢錯錶鎊長間閤闆關陞陳陸際險隻雖難韆頁項題額類顯風驗驟麪麫麵麼麽點齣"
)
_SIMPLIFIED = (
    "并占并来个们备家债倾仅价亿尽内两净别则划动区协即参叁问单吨当向围图报块够实写将对属带币几别后从应户舍"
    "损择据数断于既升时向会查条极标样检欧决没况净减准涨润为无为独获现环产产异当尽真确税种积获个范简签签纠"
    "约级终结给综绪练致缩总习闻修与万参号亏同见规视观计许注证话该误说说调请论证变让负责贰费资较轮转回这周"
    "过达选还钱错表镑长间合板关升陈陆际险只虽难千页项题额类显风验骤面面面么么点出"
)


def _table() -> dict[int, str]:
    table = {0xFF01 + i: chr(0x21 + i) for i in range(94)}  # full-width forms of ! to ~
    table.update({row + i: str(i) for row in _DIGIT_ROWS for i in range(10)})
    # Mathematical letters (bold, italic, sans, monospace): thirteen alphabets of 52 letters in a row.
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    table.update({0x1D400 + 52 * alphabet + i: c for alphabet in range(13) for i, c in enumerate(letters)})
    table.update({0x24B6 + i: c for i, c in enumerate(letters)})  # circled letters
    for group, char in {
        "\u2212\u2010\u2011\u2012\u2013\ufe63": "-",
        "\u00a0\u202f\u2007\u2008\u2006\u2005\u200a": THIN,
        "\u3000\u2002\u2003\u2004": " ",
        "\u2019\u2018\u02bc\u00b4": "'",
        "\u201c\u201d\u300e\u300f\u300c\u300d": '"',
        "\ufe6a\u066a": "%",
        "\ufe69": "$",
        "\uffe5": "¥",
        "\uffe1": "£",
        "\u066b": ".",
        "\u066c": ",",
        "\u2044\u2215": "/",
        "\u2217": "*",
        "\u22c5\u00b7\u2219": "·",
        "\u2248\u2245\u2243": "≈",
        "\u223c": "~",
        "\u2713\u2714\u221a\u2705": "√",
        "\u2717\u2718\u274c\u2716": "✗",
        "\u017f": "s",  # these four match ASCII letters under re.IGNORECASE, and no table of words holds them
        "\u212a": "K",
        "\u0130": "I",
        "\u0131": "i",
        "\u3010\u3014": "[",
        "\u3011\u3015": "]",
    }.items():
        table.update({ord(c): char for c in group})
    table.update(zip(map(ord, _TRADITIONAL), _SIMPLIFIED))
    return table


_TABLE = _table()
# Nothing that a reader sees: zero-width characters, terminal colours, control characters. Backspace and form feed stay:
# they are what a careless decoder makes of "\\boxed" and "\\frac".
INVISIBLE = re.compile(
    "(?:\x1b\\[[0-9;]{0,20}[A-Za-z]|"
    "[\x00-\x07\x0e-\x1f\x7f\u200b-\u200f\u2060-\u2064\ufeff\u00ad\u202a-\u202e\u2066-\u2069\ufe0e\ufe0f])+"
)


def normalise(text: str) -> str:
    """The text with one spelling per character, of the same length, so that offsets stay valid.

    >>> normalise("\uff11\uff12\uff05 \u22125")
    '12% -5'
    """
    return text if text.isascii() else _FOREIGN.sub(_translated, text)


def _translated(foreign: re.Match[str]) -> str:
    return foreign[0].translate(_TABLE)


_FOREIGN = re.compile("[^\x00-\x7f]+")


def last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The last place where a pattern matches, or None."""
    return deque(pattern.finditer(text), maxlen=1).pop() if pattern.search(text) else None


def group_end(text: str, start: int, limit: int = 2000) -> int:
    """The offset of the brace that closes the one at `start`, or -1 when none does within `limit` characters.

    >>> group_end("{a{b}}", 0)
    5
    """
    depth = 0
    for match in _BRACES.finditer(text, start, min(len(text), start + limit)):
        if match.start() and text[match.start() - 1] == "\\":
            continue
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return match.start()
    return -1


_BRACES = re.compile(r"[{}]")
_FRACTION = re.compile(r"\\[dtc]?frac\s*")
_MACRO = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf|tt|bb|cal|ord|bin)|operatorname\*?|boxed|fbox|mbox|hbox|"
    r"underline|emph|bm|boldsymbol|large|Large|huge|bf|rm|it|displaystyle|textstyle|left|right|bigl?|bigr?|Bigl?|Bigr?)"
    r"(?![A-Za-z])\s*"
)
_NAMED = {
    "times": "×",
    "cdot": "×",
    "ast": "×",
    "div": "÷",
    "approx": "≈",
    "simeq": "≈",
    "sim": "~",
    "pm": "±",
    "geq": ">=",
    "ge": ">=",
    "gt": ">",
    "leq": "<=",
    "le": "<=",
    "lt": "<",
    "infty": "∞",
    "percent": "%",
    "pounds": "£",
    "euro": "€",
    "yen": "¥",
    "yuan": "¥",
    "checkmark": "√",
    "dots": "...",
    "ldots": "...",
    "cdots": "...",
    "sqrt": "sqrt",
    "rightarrow": "→",
    "Rightarrow": "→",
    "implies": "→",
    "to": "→",
    "quad": " ",
    "qquad": " ",
    "land": " and ",
    "lor": " or ",
    "neg": "not ",
    "neq": "≠",
    "ne": "≠",
}
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_SPACING = re.compile(r"\\[,;: ]|~(?=\\)")
_MATH = re.compile(r"\$\$?(?=[^\s$])([^$\n]{1,300}?)(?<=[^\s$])\$\$?(?!\d)")
_TAG = re.compile(
    r"</?(?:b|i|u|p|em|strong|span|code|br|div|font|sub|mark|answer|final|final_answer|result)\b[^<>]{0,60}>", re.I
)
_STARS = re.compile(r"\*\*+|__+|`+|(?<![\w)\s])\*(?=\S)|(?<=\S)\*(?![\w(\s])")
_CELL = re.compile(r"\s*\\\\\s*|\s*&\s*")


def plain(text: str) -> str:
    """One line of a reply without LaTeX, markdown or HTML markup; what is left is what a reader would see.

    >>> plain(r"$\\boxed{\\text{-}\\$1{,}234.5\\%}$"), plain(r"**\\frac{211}{292}**"), plain(r"2,\\!424")
    ('-$1,234.5%', '211/292', '2,424')
    """
    if "\\" in text or "{" in text or "}" in text:
        text = _without_latex(text)
    if "$" in text:
        text = _MATH.sub(r"\1", text)
        text = text.replace("\ue000", "$")
    elif "\ue000" in text:
        text = text.replace("\ue000", "$")
    if "*" in text or "`" in text or "__" in text:
        text = _STARS.sub("", re.sub(r"(?<=\d)\*\*(?=\d)", "^", text))
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text:
        text = text.replace("&nbsp;", " ").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
        text = text.replace("&minus;", "-").replace("&percnt;", "%")
    return text.strip()


def _without_latex(text: str) -> str:
    text = text.replace("{,}", ",").replace("\\!", "").replace("\\%", "%").replace("\\$", "\ue000")
    text = text.replace("{\\%}", "%").replace("{%}", "%").replace("\\#", "#").replace("\\_", "_").replace("\\&", "&")
    for delimiter in ("\\(", "\\)", "\\[", "\\]"):
        text = text.replace(delimiter, " ")
    if "frac" in text:
        text = _fractions(text)
    text = _SPACING.sub(THIN, text)
    text = _MACRO.sub("", text)
    text = _COMMAND.sub(lambda m: _NAMED.get(m.group(1), " "), text)
    text = text.replace("sqrt{", "sqrt({").replace("^{", "^({") if "sqrt{" in text or "^{" in text else text
    return _unbrace(text)


def _unbrace(text: str) -> str:
    """Drops braces; those opened with a parenthesis by the caller ("({") close it."""
    if "{" not in text and "}" not in text:
        return text
    out: list[str] = []
    closers: list[str] = []
    for i, char in enumerate(text):
        if char == "{":
            closers.append(")" if i and text[i - 1] == "(" and i > 1 and text[i - 2] in "t^" else "")
        elif char == "}":
            out.append(closers.pop() if closers else "")
        else:
            out.append(char)
    return "".join(out)


def _fractions(text: str, rounds: int = 24) -> str:
    """`\\frac{a}{b}` as `a/b`, with parentheses where an operand is more than a number."""
    for _ in range(rounds):
        match = last_match(_FRACTION, text)  # the last one holds no other
        if match is None:
            break
        upper, after = _operand(text, match.end())
        lower, after = _operand(text, after)
        if upper is None or lower is None:
            text = text[: match.start()] + text[match.end() :]
            continue
        before = text[: match.start()]
        gap = " " if before[-1:].isdigit() else ""
        text = f"{before}{gap}{_atom(upper)}/{_atom(lower)}{text[after:]}"
    return text


def _operand(text: str, start: int) -> tuple[str | None, int]:
    while start < len(text) and text[start] == " ":
        start += 1
    if start >= len(text):
        return None, start
    if text[start] != "{":
        return text[start], start + 1
    end = group_end(text, start)
    return (None, start) if end < 0 else (text[start + 1 : end], end + 1)


def _atom(operand: str) -> str:
    operand = operand.strip()
    return operand if re.fullmatch(r"[\d.,]+", operand) else f"({operand})"
