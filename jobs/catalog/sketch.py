"""What is kept of a prompt: figures, keyed hashes and markers, never its words."""

from __future__ import annotations

from dataclasses import dataclass

#: Characters of a prompt that the sketch reads: the front of a prompt carries its template, and
#: the cost of a night must not follow the longest prompt.
SKETCH_CHARS = 512
#: Words at the front and the end that make the two template keys.
TEMPLATE_HEAD_WORDS = 8
TEMPLATE_TAIL_WORDS = 6
#: Words in a shingle and hashes kept of them: a bottom-k sketch estimates the Jaccard similarity
#: of two prompts with a standard error of about 1/sqrt(k) (Broder 1997; Cohen and Kaplan 2007).
SHINGLE_WORDS = 3
SIGNATURE_SIZE = 8
#: Buckets of the words that a prompt has, and letters from which on a word counts: shorter ones
#: are in every text. Each bucket is a measure of its own, so that they add up like all others.
WORD_BUCKETS = 48
WORD_LETTERS = 4


@dataclass(frozen=True)
class Marker:
    """A thing that a prompt asks for, found by a regular expression on its lower-case front."""

    name: str
    bit: int
    pattern: str
    about: str


MARKERS: tuple[Marker, ...] = tuple(
    Marker(name, bit, pattern, about)
    for bit, (name, pattern, about) in enumerate((
        ("reasoning",
         "step[- ]by[- ]step|chain of thought|think (aloud|out loud)|show (all )?(your|the|each|every) "
         "(work|working|reasoning|steps?|derivation)|reason(ing)? (trace|through|carefully)|"
         "explain (your|each|every|the) (reasoning|step|inference)|before (giving |you give )?(the |an |your )?"
         "(final )?answer|schritt f(ü|ue)r schritt|denkweg|paso a paso|razonamiento|"
         "(étape|etape) par (étape|etape)|raisonnement|一步一步|逐步|推理",
         "asks for its reasoning to be written out"),
        ("rubric",
         "rubric|grad(e|ing) (the|this|each|following)|on a scale (of|from)|score (the|each|this|from|out)|"
         "rate (the|each|this) |which (answer|response|output|reply) is better|better (answer|response)|"
         "response a|answer a|verdict|judge (the|which|whether)|bewerte|punktzahl|califica|rúbrica|"
         "évalue|note sur|评分|打分|评估",
         "asks for grading by a rubric or for a judgement between answers"),
        ("censor",
         "censor|politically (sensitive|acceptable)|sensitive (topic|content|content filter)|"
         "forbidden (word|topic|term)|compliant with (the )?(regulation|law|authorit)|"
         "(remove|avoid|soften|rewrite).{0,40}(sensitive|taboo|controversial|prohibited)|"
         "content (moderation|review) (rule|policy|guideline)|zensur|censura|censure|敏感|审查|违规",
         "asks for text to be rewritten or refused for a censor"),
        ("code",
         "```|def |function|class |import |python|javascript|typescript|rust|golang|sql|"
         "compile|stack ?trace|traceback|unit test|refactor|debug|regex|algorithm|代码|函数",
         "is about program code"),
        ("tools",
         "function[ _-]call|tool[ _-]?(call|use|result|name|spec)|available (tools|functions|apis)|"
         "api[ _]call|[\"']arguments[\"']|[\"']parameters[\"']|invoke the|use the tools?|werkzeug|"
         "herramienta|outil|工具|调用",
         "is about calling tools"),
        ("agent",
         "you are an? (autonomous |ai |software |coding )?agent|next action|observation:|action:|thought:|"
         "terminal|repository|working directory|file tree|plan (and|then) (act|execute)|shell command",
         "drives an agent"),
        ("multiple_choice",
         "(^|[ (])a[).:] .{1,200}[ (]b[).:] |option (a|b|c|d)|multiple[- ]choice|"
         "(choose|select|pick) (the|one) (correct|right|best|of)|answer with (only )?(the|a single) letter|"
         "选择题|选项",
         "is a multiple-choice question"),
        ("translate",
         "translat|übersetz|uebersetz|traduc|tradui|tradur|翻译|перевед",
         "asks for a translation"),
        ("role_play",
         "role[- ]?play|pretend (to be|you are)|act as an?|you are (now )?(a|an|the) [a-z]+|"
         "stay in character|persona|in the voice of|spiele die rolle|actúa como|joue le rôle|扮演",
         "asks the model to play a role"),
        ("extraction",
         "extract|summari[sz]e|classif(y|ication)|label (the|this|each)|categori[sz]e|"
         "json|csv|return only|output format|zusammenfass|resum|提取|总结|分类",
         "asks for data to be extracted, classified or summarised"),
        ("synthesis",
         "generate ([a-z]+ )?(diverse|different|new|synthetic|[0-9]+)|training (data|example|set)|"
         "instruction[- ]response|question[- ]answer pairs?|(write|create|produce) [0-9]+ |"
         "rewrite (this|the) (instruction|prompt|question)|make (it|this|the question) (harder|more complex)|"
         "synthetic|data ?set|生成",
         "asks for data to be made up, as for training"),
        ("maths",
         "prove|theorem|integral|equation|solve for|probability|calculate|compute the|"
         "how many|geometry|[\\\\]frac|beweise|berechne|calcula|calcule|计算|证明|方程",
         "is a mathematical problem"),
    ))
)  # fmt: skip

#: Scripts told apart, by a range of characters that both engines read alike. The first that
#: holds wins; Latin is what none of them matches.
SCRIPTS: tuple[tuple[str, str], ...] = (
    ("kana", "[\u3040-\u30ff]"),
    ("hangul", "[\uac00-\ud7af]"),
    ("han", "[\u4e00-\u9fff]"),
    ("cyrillic", "[\u0400-\u04ff]"),
    ("arabic", "[\u0600-\u06ff]"),
    ("devanagari", "[\u0900-\u097f]"),
)
SCRIPT_NAMES = (*(name for name, _ in SCRIPTS), "latin")
