"""Python that says which tokens come next by an exported language model, onnxruntime and numpy alone."""

from __future__ import annotations

from gatewise.export.to_onnx.programs import BYTE_PAIRS, MODEL, SPACES, TEXT_OF_PIECES, assembled

__all__ = ["program_of"]

_DOES = "Says which tokens come next: python answer.py TEXT ..."
_CUT = {
    "word": r"""
def tokens_of(text):
    return [token for line in text.splitlines() for token in re.findall(r"\w+(?:['’]\w+)?|[^\w\s]", line)]
""",
    "spaced-word": """
def tokens_of(text):
    return [token for line in text.splitlines() for token in line.split()]
""",
    "character": """
def tokens_of(text):
    return list(text)
""",
    "bpe": """
def tokens_of(text):
    return pieces_of(text, about["vocabulary"]["tokenizer"])
""",
}
_ANSWERS = """
names = about["vocabulary"]["tokens"]
numbers = {name: number for number, name in enumerate(names)}
for prompt in sys.argv[1:] or ["the clouds are in the"]:
    read = [about["start"], *(numbers.get(token, numbers.get("<unk>")) for token in tokens_of(prompt))]
    given = {"tokens": np.array([read]), "lengths": np.array([len(read)])}
    (found,) = session.run(["log_probabilities"], given)
    chances = np.exp(found[0, -1].astype(np.float64))
    best = np.argsort(-chances, kind="stable")[:10]
    tokens = [{"token": shown(names[number]), "probability": float(chances[number])} for number in best]
    print(json.dumps({"prompt": prompt, "tokens": tokens}, ensure_ascii=False))
"""
_SHOWN = """
def shown(token):
    return token
"""
_SHOWN_PIECE = '''
def shown(token):
    """A piece as text; as it is where it is a part of a character."""
    text = text_of([token])
    return token if "\\N{REPLACEMENT CHARACTER}" in text else text
'''


def program_of(kind: str) -> str:
    """The program, which prints what ``gatewise predict --json`` does of the exported model.

    Args:
        kind: of tokens, see `gatewise.kinds.language_modelling.tokens`.
    """
    if kind == "bpe":
        parts = (SPACES, BYTE_PAIRS, TEXT_OF_PIECES, _CUT[kind], _SHOWN_PIECE)
        return assembled(_DOES, ["re", "unicodedata"], MODEL, *parts, _ANSWERS)
    return assembled(_DOES, ["re"] if kind == "word" else [], MODEL, _CUT[kind], _SHOWN, _ANSWERS)
