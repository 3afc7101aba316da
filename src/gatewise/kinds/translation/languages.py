"""Names of languages, by which files and columns of sentence pairs are called: ``train.en``, ``english,deutsch``."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["LANGUAGES", "is_code", "language_columns", "language_of"]

LANGUAGES = (
    *("bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hr", "hu", "is", "it", "ja", "ko", "lt", "lv"),
    *("nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "tr", "uk", "zh"),
)
"""Codes by which files of one language are named: ``train.en``."""
_IN_WORDS = {
    "ar": "arabic arabisch arabe árabe arabo العربية عربي",
    "bg": "bulgarian bulgarisch bulgare búlgaro bulgaro български",
    "ca": "catalan katalanisch catalán català catalano",
    "cs": "czech tschechisch tchèque checo ceco čeština česky český",
    "da": "danish dänisch danois danés danese dansk",
    "de": "german deutsch allemand alemán alemão tedesco duits niemiecki немецкий",
    "el": "greek griechisch grec griego grego greco ελληνικά",
    "en": "english englisch anglais inglés inglês inglese engels angielski engelska engelsk английский 英語 英语 영어",
    "es": "spanish spanisch espagnol español castellano espanhol spagnolo spaans hiszpański испанский",
    "et": "estonian estnisch estonien estonio eesti",
    "fa": "persian farsi persisch persan persa فارسی",
    "fi": "finnish finnisch finnois finlandés finlandese suomi suomeksi",
    "fr": "french französisch français francés francês francese frans francuski французский",
    "he": "hebrew hebräisch hébreu hebreo ebraico עברית",
    "hi": "hindi हिन्दी हिंदी",
    "hr": "croatian kroatisch croate croata hrvatski",
    "hu": "hungarian ungarisch hongrois húngaro ungherese magyar",
    "id": "indonesian indonesisch indonésien indonesio",
    "is": "icelandic isländisch islandais íslenska",
    "it": "italian italienisch italien italiano italiaans włoski итальянский",
    "ja": "japanese japanisch japonais japonés giapponese 日本語",
    "ko": "korean koreanisch coréen coreano 한국어",
    "lt": "lithuanian litauisch lituanien lituano lietuvių",
    "lv": "latvian lettisch letton letón latviešu",
    "nl": "dutch niederländisch holländisch néerlandais holandés neerlandés olandese nederlands",
    "no": "norwegian norwegisch norvégien noruego norvegese norsk bokmål nynorsk",
    "pl": "polish polnisch polonais polaco polacco polski польский",
    "pt": "portuguese portugiesisch portugais portugués português portoghese portugees",
    "ro": "romanian rumänisch roumain rumano rumeno română",
    "ru": "russian russisch russe ruso russo rosyjski русский",
    "sk": "slovak slowakisch slovaque eslovaco slovenčina slovensky",
    "sl": "slovene slovenian slowenisch slovène esloveno slovenščina",
    "sr": "serbian serbisch serbe serbio српски srpski",
    "sv": "swedish schwedisch suédois sueco svedese svenska zweeds",
    "sw": "swahili kiswahili suaheli",
    "tr": "turkish türkisch turc turco türkçe turks турецкий",
    "uk": "ukrainian ukrainisch ukrainien ucraniano ucraino українська",
    "vi": "vietnamese vietnamesisch vietnamien tiếng",
    "zh": "chinese chinesisch chinois chino cinese mandarin 中文 汉语 漢語",
}
"""By code: its names in English, in the language itself and in some of its neighbours."""
_ISO_639 = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en
eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv
ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne
ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st
su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu  afr ara ben bul cat
ces cze chi zho dan deu ger ell gre eng est eus fas fin fra fre gle heb hin hrv hun ind isl ita  jpn kor lat lav lit
mkd msa nep nld dut nno nob nor pol por ron rum rus slk slo slv spa sqi srp swa swe tam tel  tha tur ukr urd vie yor
zul
"""
_CODES = frozenset(_ISO_639.split())
"""Of ISO 639-1, and the usual ones of ISO 639-2 and 639-3."""
_NAMES = {name: code for code, names in _IN_WORDS.items() for name in names.split()}
_BESIDE = frozenset(
    ("text", "texts", "sentence", "sentences", "source", "src", "target", "tgt", "trg", "translation", "original")
) | {"column", "col", "lang", "language", "string", "phrase", "satz", "sätze", "texte", "phrases", "frase", "frases"}
"""Words that stand beside a language in the name of a column: ``text_en``, ``English sentence``."""
_REGION = re.compile(r"(?<![^\W_])([a-z]{2,3}|[A-Z]{2,3})[-_](?:[A-Z]{2}|[A-Z][a-z]{3})(?![^\W_])")
"""A code with its region or script: ``en_US``, ``text_pt-BR``, ``zh-Hans``."""
_CUT = re.compile(r"[\s_\-.:()\[\]]+")


def is_code(name: str) -> bool:
    """Whether this is a language's code, with or without a region or script.

    Example:
        >>> is_code("en"), is_code("pt-BR"), is_code("deu"), is_code("oui")
        (True, True, True, False)
    """
    found = re.fullmatch(r"([a-z]{2,3}|[A-Z]{2,3})([-_][A-Za-z]{2,4})?", name.strip())
    return found is not None and found[1].lower() in _CODES


def language_of(name: str) -> str | None:
    """The code of the language that a column is called by; None: its name is no language's.

    Example:
        >>> language_of("Deutsch"), language_of("text_en"), language_of("English sentence"), language_of("A dog runs.")
        ('de', 'en', 'en', None)
        >>> language_of("en_US"), language_of("text_pt-BR"), language_of("zh-Hans")
        ('en', 'pt', 'zh')
        >>> language_of("No.") is None  # a sentence
        True
    """
    if name.strip().strip('"').endswith((".", "!", "?")):
        return None
    words = [word for word in _CUT.split(_REGION.sub(r"\1", name.strip().strip('"')).casefold()) if word]
    found = [_NAMES.get(word) or (word if word in LANGUAGES else None) for word in words if word not in _BESIDE]
    return found[0] if len(found) == 1 else None


def language_columns(names: Sequence[str]) -> list[int]:
    """Places of the columns that are called by languages, where these are two or more different ones; else none.

    ``english`` beside ``englisch`` is a word with its translation.

    Example:
        >>> language_columns(["id", "english", "deutsch"]), language_columns(["english", "englisch"])
        ([1, 2], [])
    """
    found = [(place, code) for place, name in enumerate(names) if (code := language_of(name))]
    codes = [code for _, code in found]
    return [place for place, _ in found] if 2 <= len(codes) == len(set(codes)) else []
