"""Encodings: what is detected, what is refused, and what a name decides."""

from __future__ import annotations

import pytest

from gatewise.data.encodings import decode_as
from gatewise.data.tables import read_table
from gatewise.data.text_files import decode
from gatewise.data.western import is_windows_1252
from gatewise.errors import DataError, OptionError

WESTERN = {
    "German": "Das war schön, größer und für uns: „toll“ – 5 €",
    "French": "Ça va? L’été à Paris, déjà vu, où l’œuvre",
    "Spanish": "El niño comió ¿qué? ¡sí!",
    "Portuguese": "Não, a lição foi ótima e você é bom",
    "Danish": "smørrebrød på æble",
    "Icelandic": "það er gott að þú ert hér",
    "signs": "2 m², 30 km², 4 cm³, 5°, 100 ± 3 %, £5, © 2020",
}
OTHERS = [
    ("Příliš žluťoučký kůň", "cp1250"),
    ("Dobrý den, děkuji", "cp1250"),
    ("Zażółć gęślą jaźń", "cp1250"),
    ("Wczoraj zła kawa z rodziną, miła obsługa", "cp1250"),
    ("była brudno i drogo, łódka", "cp1250"),
    ("árvíztűrő tükörfúrógép", "cp1250"),
    ("очень хорошо", "cp1251"),
    ("спасибо большое", "koi8-r"),
    ("πολύ καλό", "cp1253"),
    ("çok güzel şey ığdır", "cp1254"),
    ("שלום עולם", "cp1255"),
    ("مرحبا بالعالم", "cp1256"),
    ("ดีมาก", "cp874"),
    ("とても良い", "shift_jis"),
    ("很好的电影", "gb18030"),
    ("매우 좋다", "cp949"),
    ("schön und größer", "mac_roman"),
    ("schön und größer", "cp850"),
]


@pytest.mark.parametrize("text", WESTERN.values(), ids=WESTERN)
def test_windows_1252_is_detected_and_said(text):
    found, notes = decode_as(text.encode("cp1252"), "a.csv")
    assert found == text
    assert len(notes) == 1 and "Windows-1252" in notes[0] and "--encoding" in notes[0]


@pytest.mark.parametrize(("text", "encoding"), OTHERS)
def test_no_other_encoding_is_taken_for_windows_1252(text, encoding):
    content = text.encode(encoding)
    assert not is_windows_1252(content)
    with pytest.raises(DataError, match="--encoding"):
        decode_as(content, "a.csv")
    assert decode_as(content, "a.csv", encoding) == (text, [])


def test_the_fallback_reads_what_is_not_utf_8():
    found, (note,) = decode_as("zła kawa".encode("cp1250"), "a.csv", fallback="cp1250")
    assert found == "zła kawa" and "as the training file was" in note
    assert decode_as("zła kawa".encode(), "a.csv", fallback="cp1250") == ("zła kawa", [])
    with pytest.raises(DataError, match="is not utf-8"):
        decode_as("zła".encode("cp1250"), "a.csv", "utf-8", fallback="cp1250")


def test_utf_8_is_never_anything_else():
    for text in WESTERN.values():
        assert decode_as(text.encode(), "a.csv") == (text, [])
        assert decode_as(text.encode("utf-8-sig"), "a.csv") == (text, [])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_byte_order_marks_decide(encoding):
    found, (note,) = decode_as("text,label\nschön,1\n".encode(encoding), "a.csv")
    assert found == "text,label\nschön,1\n" and encoding.upper() in note


def test_a_wrong_name_is_refused_with_the_line():
    with pytest.raises(DataError, match="byte 0xf6 in line 2"):
        decode_as("a\nschön\n".encode("cp1252"), "a.csv", "utf-8")
    with pytest.raises(DataError, match="NUL"):
        decode_as("abc".encode("utf-16-le"), "a.csv", "latin-1")


@pytest.mark.parametrize("name", ["utf-99", "hex", "rot13", ""])
def test_no_such_encoding(name):
    with pytest.raises(OptionError, match="there is no encoding"):
        decode_as(b"abc", "a.csv", name)


def test_tables_in_windows_1252_say_so(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes('text;label\r\n"schön; fein\r\nund gut";ja\r\nübel;nein\r\n'.encode("cp1252"))
    table = read_table(path)
    assert table.texts == ["schön; fein\r\nund gut", "übel"] and table.lines == [2, 4]
    assert len(table.notes) == 2 and "semicolons" in table.notes[1]
    assert read_table(path, encoding="latin-1").texts == table.texts


@pytest.mark.parametrize(
    ("text", "encoding", "said"),
    [
        (
            "zażółć gęślą jaźń, mężczyźni śpią",
            "cp1250",
            "surely not Windows-1252; fix: .* iconv -f ENCODING .*WINDOWS-1250",
        ),
        ("очень хорошо", "cp1251", "surely not Windows-1252"),
        ("größer, schön", "cp1252", "Latin-1 or Windows-1252; fix: .* iconv -f WINDOWS-1252"),
    ],
)
def test_running_text_is_not_called_western_where_it_is_not(text, encoding, said):
    with pytest.raises(DataError, match=said):
        decode(text.encode(encoding), "a.txt")


def _lines(number_in_utf_8):
    rows = [f"un café naïf numéro {number},a\n" for number in range(12)]
    return b"".join(row.encode("utf-8" if number in number_in_utf_8 else "cp1252") for number, row in enumerate(rows))


@pytest.mark.parametrize("in_utf_8", [{3}, set(range(12)) - {3}, {0, 2, 4, 6}])
def test_a_file_of_two_encodings_is_called_so(in_utf_8):
    first, first_other = min(in_utf_8) + 1, min(set(range(12)) - in_utf_8) + 1
    with pytest.raises(DataError, match="mixes two encodings") as refused:
        decode_as(_lines(in_utf_8), "a.csv")
    assert f"(as line {first})" in refused.value.got and f"(as line {first_other})" in refused.value.got
    _, (note,) = decode_as(_lines(in_utf_8 | {0, 1}), "a.csv", "cp1252")
    assert "'cafÃ©' for 'café'" in note and "mixes encodings" in note


def test_utf_8_that_was_read_as_windows_1252_is_said():
    text = "un café naïf, l’été".encode().decode("cp1252")
    assert "so they stand in the file" in decode_as(text.encode(), "a.csv")[1][0]
    _, (note,) = decode_as("un café naïf".encode(), "a.csv", "cp1252")
    assert note.startswith("2 words of a.csv look like UTF-8") and note.endswith("the file is UTF-8; omit --encoding")
    assert decode_as("SÃO PAULO, MAÇÃ, Â, Ã".encode(), "a.csv")[1] == []


def test_a_few_lines_of_utf_8_in_windows_1252_are_noted():
    rows = [f"un café très âgé à l'étage numéro {number}\n".encode("cp1252") for number in range(400)]
    _, (read, mixed) = decode_as(b"".join([*rows, "un café, mon café\n".encode()]), "a.csv")
    assert "was read as Windows-1252" in read
    assert mixed.startswith("2 words of a.csv look like UTF-8") and "mixes encodings" in mixed
