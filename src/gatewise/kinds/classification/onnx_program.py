"""Python that labels texts with an exported classifier, onnxruntime and numpy alone. Imports no torch."""

from __future__ import annotations

from gatewise.data.scripts import SPACELESS
from gatewise.export.to_onnx.programs import MODEL, SPACES, assembled

__all__ = ["program_of"]

_DOES = "Labels texts: python answer.py TEXT ..."
_KIND = {
    "words": r'''
OTHERS = re.compile("[²³¹¼½¾\u24b6-\u24e9\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189]")
LETTERS = ("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "Pc")
WORDS = re.compile(r"w+(?:['’]w+)?|([^w ])\1*")


def kind_of(sign):
    """w: of a word, as letters, their marks and digits of all scripts are; others stand for themselves."""
    if is_space(sign):
        return " "
    return "w" if unicodedata.category(sign) in LETTERS or OTHERS.match(sign) else sign
''',
    "characters": r'''
SPACELESS = re.compile("[RANGES]")
OTHERS = re.compile("[²³¹¼½¾\u24b6-\u24e9\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189]")
LETTERS = ("Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "Pc")
WORDS = re.compile(r"[ck][km]*|[wm]+(?:['’][wm]+)?|([^ckwm ])\1*")


def kind_of(sign):
    """c, k: a letter or mark of a script without spaces between words; w, m: of others; others are themselves."""
    kind = unicodedata.category(sign)
    if SPACELESS.match(sign):
        return "k" if kind[0] == "M" else "c"
    if is_space(sign):
        return " "
    return "m" if kind[0] == "M" else "w" if kind in LETTERS or OTHERS.match(sign) else sign
'''.replace("RANGES", SPACELESS.encode("ascii", "backslashreplace").decode("ascii")),
}
_TOKENS = r"""
numbers = {word: number for number, word in enumerate(about["vocabulary"]["words"], 2)}


def tokens_of(text):
    plain = re.sub(r"<[a-zA-Z/!][^<>]{0,200}>", " ", text)
    plain = "".join(sign.lower() for sign in plain)
    kinds = "".join(map(kind_of, plain))
    found = [numbers.get(plain[each.start() : each.end()], 1) for each in WORDS.finditer(kinds)] or [1]
    most = about["max_tokens"]
    return found if len(found) <= most else found[: most - most // 2] + found[len(found) - most // 2 :]
"""
_ONE = """
for text in sys.argv[1:] or ["a film that I would see again"]:
    tokens = np.array([tokens_of(text)])
    (found,) = session.run(["probabilities"], {"tokens": tokens, "lengths": np.array([tokens.shape[1]])})
    probabilities = dict(zip(about["label_names"], found[0].tolist()))
    label = max(probabilities, key=probabilities.get)
    answer = {"label": label, "probability": probabilities[label], "probabilities": probabilities}
    print(json.dumps(answer, ensure_ascii=False))
"""
_SEVERAL = """
for text in sys.argv[1:] or ["a film that I would see again"]:
    tokens = np.array([tokens_of(text)])
    (found,) = session.run(["probabilities"], {"tokens": tokens, "lengths": np.array([tokens.shape[1]])})
    probabilities = dict(zip(about["label_names"], found[0].tolist()))
    labels = [name for name, share in probabilities.items() if share >= about["thresholds"][name]]
    print(json.dumps({"labels": labels, "probabilities": probabilities}, ensure_ascii=False))
"""


def program_of(tokenisation: str, *, multi_label: bool) -> str:
    """The program, which prints what ``gatewise predict --json`` does.

    Args:
        tokenisation: of the vocabulary, ``words`` or ``characters``.
        multi_label: whether a text may have several labels.
    """
    answers = _SEVERAL if multi_label else _ONE
    return assembled(_DOES, ["re", "unicodedata"], MODEL, SPACES, _KIND[tokenisation], _TOKENS, answers)
