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

# Traditional forms of common characters, and of those that the patterns of this package use, each with its simplified form.
_TRADITIONAL = (
    "並乾亂亞佈佔併來係倉個們倫偉側偽傑傘備傢傭傳債傷傾僅僑僱價儀億儘優儲兒內兩冊凈凍凱別刪則剛創劃劇劉劍劑勁動務勝勞"
    "勢勳勵勸匯匱區協卻卽厭參叄吳員問啓啟喚喪喬單嗎嗚嘆嘗噸噹嚇嚨嚮嚴國圍園圓圖團堅報場塊塵墊墜墳壇壓壞壯壺壽夠夢夥夾"
    "奪奮婦媽嬰孫學宮實寧審寫寬寶將尋對導層屬岡峯島崗嶺帥師帳帶幣幫幹幾廁廈廚廟廠廢廣廳張強彆彈彌彎彙後徑從復徵徹悅惡"
    "惱愛態慘慣慮慶憂憐憑憤憲憶懇應懲懷懸懺懼戀戰戲戶拋捨掃掛採揀揚換揮損搖搶摯撈撥撫撿擁擇擊擔據擠擬擱擲擴擺擾攏攔攜"
    "攝敍敗敘敵數斂斬斷於旣昇時晉晝暈暢暫曆曉曏曠曬書會東査條棄棗棟棧楊楓業極榮構槍樁樂樓標樞樣樸樹橋機橫檔檢檸櫃櫻欄"
    "權歐歡歲歷歸殘殲殺殼毀氣氫決沒況涼淚淨淩淪淵淺減測渾湊湯準溝溫滄滅滙滬滯滲滾滿漁漢漲漸漿潑潔潤潰澀澆澤濃濕濟濤濫"
    "濱濾瀉瀏瀾灑灘灣災為烏無煉煙煩熱燈燒營燭爍爐爛爭爲爺爾牀牆牽犧狀猶獄獎獨獲獵獸獻現瑪環瓊產産畝畢畫異當疊瘋療癥癮"
    "發皺盜盞盡監盤盧眞眾矚碩確碼磚礙礦禍禮禿稅稟種稱積穢穩穫窩窮竊競筆箇節範築篤篩簡簽籃籌籤糧糾紀約紅納紐純紙級紛細"
    "紹終組結絕絡給統絲綁經綜綠綫維綱網綿緊緒線緣編緩練緻縣縮縱總績織繩繪繫繳繼續纔罰羅羣義習聖聞聯聰聲職聽脅脩腦腳腸"
    "膚臉臟臨臺與興舉舊艙艦荊莊華萬葉蓋蔘蕭薦藍藝藥蘇蘋蘭處虛號虧蝕蟲衆術衕衛衝裏補裝裡製複褲襲見規視親覺覽觀觸訂計訊"
    "討訓託記訪設許訴診註証詐評詞詠試詩話該詳誇認誕語誠誤說説課調談請論諮諸諾謀謂講謝謹證識譯議護譽讀變讓豈豐貝貞負財"
    "貢貧貨販貪貫責貯貳貴貶買貸費貼貿賀資賈賊賓賠賢賣賤賦質賬賭賴購贈贊贏贓趙趨躍車軌軍軟較載輔輕輛輝輪輸轄轉辦辭農迴"
    "這連週進遊運過達違遠適遲遷選遺還邊郵鄉鄭鄰醫釋釘針釣鈍鈔鈣鉛銀銅銷鋁鋅鋒鋰鋼錄錢錯錶鍋鍾鎊鎖鎢鎳鏈鏡鐘鐵鑑鑒鑰鑽"
    "鑿長門閃閉開閑間閤閱闆闊關陞陣陰陳陸陽隊階際隨險隱隻雖雙雛雜離難雲電霧靈靜韆韓響頁頂項順須預頓頗領頭頻題額顏願類"
    "顧顯風颱飛飯飲飽飾養餘館馬馮駐駛騙驅驕驗驚驟體髮鬆鬥鬧鬱魚鮮鳥鳳鷹鹼鹽麗麥麪麫麵麼麽黃點黨黴齊齋齒齡齣龍龐龜"
)
_SIMPLIFIED = (
    "并干乱亚布占并来系仓个们伦伟侧伪杰伞备家佣传债伤倾仅侨雇价仪亿尽优储儿内两册净冻凯别删则刚创划剧刘剑剂劲动务胜劳"
    "势勋励劝汇匮区协却即厌参叁吴员问启启唤丧乔单吗呜叹尝吨当吓咙向严国围园圆图团坚报场块尘垫坠坟坛压坏壮壶寿够梦伙夹"
    "夺奋妇妈婴孙学宫实宁审写宽宝将寻对导层属冈峰岛岗岭帅师帐带币帮干几厕厦厨庙厂废广厅张强别弹弥弯汇后径从复征彻悦恶"
    "恼爱态惨惯虑庆忧怜凭愤宪忆恳应惩怀悬忏惧恋战戏户抛舍扫挂采拣扬换挥损摇抢挚捞拨抚捡拥择击担据挤拟搁掷扩摆扰拢拦携"
    "摄叙败叙敌数敛斩断于既升时晋昼晕畅暂历晓向旷晒书会东查条弃枣栋栈杨枫业极荣构枪桩乐楼标枢样朴树桥机横档检柠柜樱栏"
    "权欧欢岁历归残歼杀壳毁气氢决没况凉泪净凌沦渊浅减测浑凑汤准沟温沧灭汇沪滞渗滚满渔汉涨渐浆泼洁润溃涩浇泽浓湿济涛滥"
    "滨滤泻浏澜洒滩湾灾为乌无炼烟烦热灯烧营烛烁炉烂争为爷尔床墙牵牺状犹狱奖独获猎兽献现玛环琼产产亩毕画异当叠疯疗症瘾"
    "发皱盗盏尽监盘卢真众瞩硕确码砖碍矿祸礼秃税禀种称积秽稳获窝穷窃竞笔个节范筑笃筛简签篮筹签粮纠纪约红纳纽纯纸级纷细"
    "绍终组结绝络给统丝绑经综绿线维纲网绵紧绪线缘编缓练致县缩纵总绩织绳绘系缴继续才罚罗群义习圣闻联聪声职听胁修脑脚肠"
    "肤脸脏临台与兴举旧舱舰荆庄华万叶盖参萧荐蓝艺药苏苹兰处虚号亏蚀虫众术同卫冲里补装里制复裤袭见规视亲觉览观触订计讯"
    "讨训托记访设许诉诊注证诈评词咏试诗话该详夸认诞语诚误说说课调谈请论谘诸诺谋谓讲谢谨证识译议护誉读变让岂丰贝贞负财"
    "贡贫货贩贪贯责贮贰贵贬买贷费贴贸贺资贾贼宾赔贤卖贱赋质账赌赖购赠赞赢赃赵趋跃车轨军软较载辅轻辆辉轮输辖转办辞农回"
    "这连周进游运过达违远适迟迁选遗还边邮乡郑邻医释钉针钓钝钞钙铅银铜销铝锌锋锂钢录钱错表锅钟镑锁钨镍链镜钟铁鉴鉴钥钻"
    "凿长门闪闭开闲间合阅板阔关升阵阴陈陆阳队阶际随险隐只虽双雏杂离难云电雾灵静千韩响页顶项顺须预顿颇领头频题额颜愿类"
    "顾显风台飞饭饮饱饰养余馆马冯驻驶骗驱骄验惊骤体发松斗闹郁鱼鲜鸟凤鹰碱盐丽麦面面面么么黄点党霉齐斋齿龄出龙庞龟"
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
    r"\\(?:text)?color\s{0,3}\{[^{}]{0,40}\}\s*|"
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
# Elements and chat marks of any name; one letter in brackets ("<B>") is an answer, and "a < b" none.
_ELEMENT = re.compile(r"<[/|]?(?:[A-Za-z][\w:|-]{1,40}|[pius])(?:\s[^<>\n]{0,60})?/?>|<!--[^<>\n]{0,200}-->")
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
        text = _ELEMENT.sub(" ", _TAG.sub(" ", text) if "</" in text else text)
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
