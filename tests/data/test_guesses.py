"""Which encodings are suggested for bytes that are not UTF-8."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewise.data.encodings import decode_as
from gatewise.data.guesses import likely_encodings
from gatewise.errors import DataError

TEXTS = {
    "cp1251": "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. Gut!",
    "koi8-r": "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.",
    "cp1253": "Η γρήγορη καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί",
    "cp1254": "Faturam yüksek geldi, görevli çok kaba davrandı, iki saattir bekliyorum, şikayetçiyim, ığdır",
    "cp1250": "Zażółć gęślą jaźń, żeby było źle; pchnąć w tę łódź jeża lub ośm skrzyń fig",
    "cp1255": "שלום עולם, זה משפט ארוך בעברית",
    "cp1256": "فاز الفريق بالمباراة أمس في المدينة",
    "shift_jis": "とても面白い映画でした。もう一度見たいです",
    "euc-kr": "아주 재미있는 영화였습니다 다시 보고 싶어요",
    "gb18030": "这部电影非常好看，我想再看一遍，推荐给大家",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_suggests_its_own_encoding(name: str, tmp_path: Path) -> None:
    text = TEXTS[name]
    found = likely_encodings(f"text,label\n{text},a\n".encode(name))
    assert found and found[0][0] == name, found
    assert found[0][1].split()[0] in text
    with pytest.raises(DataError) as raised:
        decode_as(text.encode(name), "a.csv")
    assert f"--encoding {name} if '{found[0][1]}' are words of it" in str(raised.value.fix)


def test_damaged_and_binary_content_suggests_none() -> None:
    for content in (bytes(range(128, 256)), b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, b"plain"):
        assert likely_encodings(content) == []
    assert likely_encodings((TEXTS["cp1251"] + "\n").encode("cp1251") * 5000)[0][0] == "cp1251"
