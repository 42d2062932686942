"""What a sentence does in a reply: refuse, retract, affirm, conclude, plan, add context, or break off."""

from __future__ import annotations

import re

from finbench.text.normalize import last_match

RETRACTION = re.compile(
    r"(?:^|[\n.!?。;,—(*\s])[\s*_\"'(—-]{0,5}(?P<strong>(?:wait|hold on|hmm+|no)[,.!—\s-]+(?:that|this|it|i|"
    r"let me|the (?:answer|correct|right)|actually|no)\b[^.\n]{0,50}?(?:wrong|incorrect|mistake|error|"
    r"miscalculated|misread|actually|not right|should be)|"
    r"correction\b|scratch that|on second thought|i (?:made|see|spot|notice)\w* (?:a|an|the|"
    r"my)\s(?:\w+\s)?(?:mistake|error)|i (?:was wrong|misread|miscalculated|misspoke|misstated|meant)|"
    r"i (?:have to|must|need to|should) correct (?:myself|that|this)|"
    r"(?:that|this|it|which) (?:does not|doesn't) match (?:what|the|my)\b|"
    r"(?:that|this|the above|it|which)(?:'s| is| was) (?:wrong|incorrect|not right|not correct|a mistake|"
    r"an error)|my mistake|apologies|oops|let me (?:correct|fix|revise)|"
    r"revised|更正|纠正|修正|不对|算错|有误|搞错|写错|应更正为|应该是|我错了|错了)"
    r"|(?:^|[\s*_\"'(—。;!-])(?P<weak>wait\b|actually\b|hold on|hmm|let me (?:re-?(?:check|compute|calculate|do|think|"
    r"consider|evaluate|examine)|double[- ]check)|re-?(?:checking|calculating|reading|computing)|"
    r"等等|等一下|重新计算|再算|重新检查|让我再|实际上|其实)",
    re.I,
)
AFFIRMATION = re.compile(
    r"\b(?:(?:is|was|looks|seems|are)\s+(?:indeed\s+|still\s+)?(?:correct|right|confirmed|consistent|fine|good|"
    r"accurate|the same|unchanged)|confirm(?:s|ed)|stands|holds|matches|checks out|verified|as before|remains)\b|"
    r"无误|没有错|没错|是正确的|计算正确|一致|不变",
    re.I,
)
NOT_AFFIRMED = re.compile(
    r"\b(?:not|n't|isn't|never)\s+(?:\w+\s+)?(?:correct|right|consistent|match|hold|stand)|不正确|不一致", re.I
)
_REFUSAL = re.compile(
    r"\b(?:cannot|can't|can not|could not|couldn't|unable to|impossible to|not possible to|no way to|not able to|"
    r"(?:is|are)n't able to|difficult to)\s+(?:\w+\s+){0,3}?(?:be\s+)?(?:\w+ly\s+)?"
    r"(?:determin|calculat|comput|answer|provid|deriv|find|infer|ascertain|identif|assess|establish|give|help|"
    r"assist|conclude|estimat|predict|decid|complet|comply|fulfil|obtain|judge|tell|say\b|classif|be made|"
    r"be known)\w*"
    r"|\b(?:not|n't|no|without|lacks?|insufficient|inadequate|lack of)\s+(?:\w+\s+)?(?:enough|sufficient|"
    r"adequate|necessary|required|relevant)?\s*(?:information|data|details?|context)\b(?:\s+(?:is|are|was|were|"
    r"to|provided|given|available|in|for))?"
    r"|\b(?:information|data|figures?|values?|details?|context|numbers?|amounts?)\b[^.\n]{0,60}?\b(?:is|are|was|"
    r"were|does|do|did|has|have)(?:\s+not|n't)\s+(?:been\s+)?(?:provided|given|available|disclosed|sufficient|"
    r"included|specified|stated|contain|shown|reported|enough|mentioned|present)\w*"
    r"|\b(?:insufficient|not enough|indeterminate|undeterminable|undetermined|undefined)\b"
    r"|\bi (?:do not|don't) (?:know|have)|\bi(?:'m| am) (?:sorry|not sure|afraid|unable)|\bas an ai\b|"
    r"\bi must decline|\bnot (?:provided|disclosed|given|specified|stated) in\b"
    r"|\bno (?:answer|solution)\b|\b(?:please|could you|can you)(?: please)? (?:provide|share|supply|clarify|"
    r"specify|give me)|\bi(?:'d| would)? need (?:more|additional|further)\b|请(?:您)?提供|^\W*(?:unknown|n/?a|"
    r"none|null|not applicable|unanswerable)\W*$"
    r"|无法(?:确定|计算|得出|回答|判断|提供|给出|得知|推断|直接|准确|从|根据|获取|完成|协助)|不能(?:确定|计算|"
    r"得出|回答|判断|提供|给出)|难以(?:确定|判断|计算)|(?:信息|数据|资料|条件)(?:不足|不够|缺失|不完整)|缺(?:少|"
    r"乏).{0,10}(?:信息|数据|资料)|"
    r"没有(?:提供|给出|足够|相关)|未(?:提供|给出|披露|提及|说明)|不知道|不清楚|不确定|抱歉|对不起",
    re.I,
)
# A hesitation that is overcome ("at first it seems that this cannot be determined, but ..."), not a refusal.
_HESITATION = re.compile(
    r"\b(?:at first|initially|might|may|seems?|appears?|not (?:explicitly|directly|separately)|although|though|"
    r"while|even though|if)\b|虽然|尽管|似乎|看似",
    re.I,
)
_BUT = re.compile(r"\b(?:but|however|yet|still|nevertheless|nonetheless)\b|但|不过|然而", re.I)
_OVERCOME = re.compile(r"\b(?:but|however|yet|still|nevertheless|nonetheless|we can|can be)\b|但|不过|然而|可以", re.I)


def refuses(text: str) -> re.Match[str] | None:
    """The words in which a text declines to answer; None when it does not, or overcomes its doubt.

    >>> bool(refuses("This cannot be determined.")), refuses("It may seem that this cannot be determined, but it can be")
    (True, None)
    """
    match = _REFUSAL.search(text)
    if match and _OVERCOME.search(text, match.end()) and _HESITATION.search(text, 0, match.end()):
        last = last_match(_REFUSAL, text)
        assert last is not None
        return None if last.start() == match.start() or _BUT.search(text, last.end()) else last
    return match


CONCLUSION = re.compile(
    r"^[\W_]{0,12}(?:therefore|thus|hence|consequently|in conclusion|to conclude|in summary|in short|overall|"
    r"as a result|accordingly|so|ultimately|finally|conclusion|summary|result|this (?:means|gives|implies|yields|"
    r"represents|results)|"
    r"which (?:means|gives|yields)|we (?:get|obtain|find|conclude)|it follows|putting|taken together)\b|"
    r"^[\W_]{0,12}(?:(?:不?正确|错误|符合题意)的(?:选项|说法)?(?:是|为)|因此|所以|综上(?:所述)?|由此|故|总之|总的来说|可见|可得|得出|综合|最终|即|于是|从而|则|总结|"
    r"结果)",
    re.I,
)
CONCLUSION_INSIDE = re.compile(
    r"[,;—]\s*(?:therefore|thus|hence|so|which means)\b|\b(?:amounts? to|comes? (?:out )?to|works? out (?:at|to)|thereby)\b|"
    r"(?:因此|所以|故|由此可知|从而)",
    re.I,
)
# What follows under such a heading, or on such a line, only adds to the answer.
REMARKS = re.compile(
    r"\n[ \t]*(?:#{1,6}[ \t]*|\*\*[ \t]*)?(?:remarks?|notes?|comments?|caveats?|context|sources?|explanation|background|"
    r"disclaimer|limitations?|additional (?:context|notes?|information)|further (?:context|remarks)|备注|说明|补充说明|"
    r"注意事项|解析|解释)[ \t]*(?:\*\*)?:?(?:\*\*)?[ \t]*\n",
    re.I,
)
# "As a check, 41 + 59 = 100, so the parts add up": what follows from a check is not the answer.
CHECK = re.compile(
    r"^[\W_]{0,12}(?:(?:sanity |cross[- ]?|double[- ]?|quick )?check(?:s|ing)?\b|verification|verify(?:ing)?\b|"
    r"to (?:verify|(?:double[- ]?)?check)|as (?:a|an) (?:\w+ )?check|验证|检验|验算)",
    re.I,
)
CONTEXT = re.compile(
    r"^[\W_]{0,12}(?:\(?sources?\b|\(?notes?\b|\*?note\b|references?\b|ref\b|disclaimer|caveat|data (?:from|"
    r"source|is|are|was)|\(?see\b|\(?refer|for (?:reference|context|comparison|your)|(?:sanity |cross[- ]?|"
    r"double[- ]?|quick )?checks?\b|verification|verify|to (?:verify|check)|as (?:a|an) (?:\w+ )?check|"
    r"this (?:is|was|figure|value|number|calculation|result|answer|analysis|uses?|assumes?|data|"
    r"information) (?:is |was |were )?(?:based|calculated|derived|computed|drawn|taken|from|reported|using|"
    r"assumes?|uses?|excludes?|includes?|covers?|rounded|compar|according|not|for)|"
    r"\(?(?:based|calculated|computed|derived|reported|according|rounded) (?:on|from|using|in|to|as)|"
    r"(?:the |these |all |those )?(?:data|figures?|numbers?|values?|amounts?|inputs?|information|calculation|"
    r"table|report|filing|underlying)\b[^.]{0,30}? (?:is|are|was|were|come|comes|came|can be found|appears?|"
    r"taken|uses?|covers?|based|reported|assumes?) |please (?:note|consult|keep)|keep in mind|it (?:is|"
    r"'s) (?:worth|important)|it should be noted|sample|n\s*=|confidence|last updated|assum(?:ing|ption|es)|"
    r"(?:in|by) (?:comparison|contrast)|(?:the )?(?:prior|previous)[- ]year|last year|compared|"
    r"for (?:the )?(?:year|fiscal|prior)|however|note that|remember|past performance|investors should|"
    r"if\b[^.]{0,100}\bwould\b|it was (?:raised|increased|lowered|cut|reduced|changed) (?:from|to|in)\b|"
    r"interpretation\b|implications?\b|takeaway\b|(?:the )?(?:remaining|rest|remainder|balance)\s*:|"
    r"explanation|reason(?:ing)?\b|rationale|justification|equivalently|the (?:remaining|rest|complement\w*|remainder)\b|"
    r"comparison\b|[-$]?[\d,.]+%? (?:relates?|refers?|pertains?|belongs?) to\b|i (?:have )?(?:assumed|used|took|rounded)\b|"
    r"this is not|i hope|hope this|let me know|if you|feel free|"
    r"注|备注|数据来源|来源|资料来源|参考|说明|验算|检验|验证|免责|样本|以上数据|数据|上述数据|计算依据|依据|"
    r"解释|理由|原因|解析|分析|其中|需要注意|请注意|但|不过|而(?!且|言|后)|如有|希望|投资有风险|提示|风险)",
    re.I,
)
CONTEXT_INSIDE = re.compile(
    r"\b(?:on|see|from|at) p(?:age|\.)\s?\d|\bsample of\b|第\s?\d+\s?页|\b10-[KQ]\b|\bannual report\b|"
    r"\bdisclaimer\b|\bnot (?:financial|investment) advice\b|\bit would have been\b",
    re.I,
)
PLAN = re.compile(
    r"^[\W_]{0,12}(?:\d{1,2}[.):]\s{0,3})?[\W_]{0,6}(?:(?:now|so|okay|ok|then|and|well|alright|"
    r"sure),?\s+)?(?:to (?:find|calculate|determine|compute|answer|get|solve|do|evaluate|obtain|classify|assess|"
    r"figure)|we (?:need|can|should|must|will|have to|first|then|are asked|are given|want)|i(?:'ll| will| need|"
    r" should| would| can| must|'m going| am going| have to| first)|let(?:'s| us| me)\b|"
    r"first\b|firstly|second\b|secondly|third\b|next\b|then\b|step\b|the (?:formula|plan|approach|steps?|method|"
    r"question|first step|next step|calculation|process)\b|start\b|begin\b|subtract\b|divide\b|multiply\b|add\b|"
    r"take\b|find\b|calculate\b|compute\b|look\b|identify|recall|"
    r"我(?:们)?(?:需要|将|会|可以|应该|先|首先)|首先|其次|接下来|然后|第[一二三四五]步?|让我|为了|要(?:计算|求)|"
    r"需要|计划|步骤|先|已知|题目|计算公式|公式)",
    re.I,
)
RESULT = re.compile(
    r"[=≈→]|\b(?:gives|yields|equals|giving|yielding|resulting|to get|which is|we get)\b|得到|等于|得出", re.I
)
STUB = re.compile(
    r"\W*(?:now|next|so|then|therefore|thus|hence|the|this|we|i|and|but|finally|in|step|first|since|因此|所以|"
    r"接下来|最后|综上)(?:\s+\w{1,12}){0,2}\W{0,2}(?<![.!?。%\d])",
    re.I,
)
# A last sentence that only says what will be done: "Finally we will divide"
UNDONE = re.compile(
    r"\W*(?:(?:now|next|so|then|finally|first|second|lastly|and),?\s+){0,2}(?:(?:we|i)(?:'ll| will| need to|"
    r" have to| must| can now| should)|let(?:'s| us| me))\s+(?:now\s+|then\s+)?(?:divide|subtract|multiply|"
    r"add|compute|calculate|find|determine|convert|sum|compare|work out|solve|plug|apply)\b[^\d=]{0,80}",
    re.I,
)
UNFINISHED = re.compile(
    r"(?:[=+×*/(,÷≈:\\-]|\\frac\{?[^{}]*\}?|\b(?:the|of|is|to|and|by|a|an|was|are|were|in|for|from|with|at|that|"
    r"which|approximately|about|as|be|than|on|will|would|equals|divided|therefore|thus|so|or|if|obtain|get|it|they|we)|等于|约|为|是|"
    r"的|则|和|与|除以|乘以|减去|因此|所以)$",
    re.I,
)
BOTH_OFFERED = re.compile(
    r"\bboth\b[^.\n]{0,40}\b(?:answers?|values?|valid|correct|acceptable|possible|plausible)\b|"
    r"\beither\b[^.\n]{0,30}\b(?:answer|value|acceptable|correct)\b|两(?:个|种|者)[^。\n]{0,10}(?:都|均|皆)",
    re.I,
)
