"""The script that most letters of a text belong to, as an ISO 15924 code.

Invariant: a letter is a code point of category L or M whose Script property is one of SCRIPTS; nothing else counts (digits,
punctuation, marks and letters shared by scripts, and historic scripts do not). Code points not yet assigned in Unicode 14 that
lie between two letters of a script count with it. Source: Unicode 14.0, Scripts.txt (through `Unicode::UCD`), and ISO 15924 for
the codes of mixtures: Jpan = Han + Hiragana + Katakana, Kore = Hangul + Han.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel, kernel

SCRIPTS = {
    "Latn": (
        "0041-005A 0061-007A 00AA 00BA 00C0-00D6 00D8-00F6 00F8-02B8 02E0-02E4 1D00-1D25 1D2C-1D5C 1D62-1D65 "
        "1D6B-1D77 1D79-1DBE 1E00-1EFF 2071 207F 2090-209C 212A-212B 2132 214E 2183-2184 2C60-2C7F A722-A787 "
        "A78B-A7FF AB30-AB5A AB5C-AB64 AB66-AB69 FB00-FB06 FF21-FF3A FF41-FF5A"
    ),
    "Grek": (
        "0370-0373 0376-037D 037F 0386 0388-03E1 03F0-03F5 03F7-03FF 1D26-1D2A 1D5D-1D61 1D66-1D6A 1DBF 1F00-1FBC "
        "1FBE 1FC2-1FCC 1FD0-1FDB 1FE0-1FEC 1FF2-1FFC 2126 AB65"
    ),
    "Cyrl": "0400-0481 0483-0484 0487-052F 1C80-1C88 1D2B 1D78 2DE0-2DFF A640-A672 A674-A67D A67F-A69F FE2E-FE2F",
    "Armn": "0531-0559 0560-0588 FB13-FB17",
    "Hebr": "0591-05BD 05BF 05C1-05C2 05C4-05C5 05C7-05F2 FB1D-FB28 FB2A-FB4F",
    "Arab": (
        "0610-061A 0620-063F 0641-064A 0656-065F 066E-066F 0671-06D3 06D5-06DC 06DF-06E8 06EA-06EF 06FA-06FC 06FF "
        "0750-077F 0870-0887 0889-088E 0898-08E1 08E3-08FF FB50-FBB1 FBD3-FD3D FD50-FDC7 FDF0-FDFB FE70-FEFC"
    ),
    "Syrc": "0710-074F 0860-086A",
    "Thaa": "0780-07B1",
    "Nkoo": "07CA-07F5 07FA-07FD",
    "Deva": "0900-0950 0955-0963 0971-097F A8E0-A8F7 A8FB A8FD-A8FF",
    "Beng": "0980-09E3 09F0-09F1 09FC 09FE",
    "Guru": "0A01-0A5E 0A70-0A75",
    "Gujr": "0A81-0AE3 0AF9-0AFF",
    "Orya": "0B01-0B63 0B71",
    "Taml": "0B82-0BD7",
    "Telu": "0C00-0C63",
    "Knda": "0C80-0C83 0C85-0CE3 0CF1-0CF2",
    "Mlym": "0D00-0D4E 0D54-0D57 0D5F-0D63 0D7A-0D7F",
    "Sinh": "0D81-0DDF 0DF2-0DF3",
    "Thai": "0E01-0E3A 0E40-0E4E",
    "Laoo": "0E81-0ECD 0EDC-0EDF",
    "Tibt": "0F00 0F18-0F19 0F35 0F37 0F39 0F3E-0F84 0F86-0FBC 0FC6",
    "Mymr": "1000-103F 1050-108F 109A-109D A9E0-A9EF A9FA-A9FE AA60-AA76 AA7A-AA7F",
    "Geor": "10A0-10FA 10FC-10FF 1C90-1CBF 2D00-2D2D",
    "Hang": "1100-11FF 302E-302F 3131-318E A960-A97C AC00-D7FB FFA0-FFDC",
    "Ethi": "1200-135F 1380-138F 2D80-2DDE AB01-AB2E",
    "Cher": "13A0-13FD AB70-ABBF",
    "Cans": "1401-166C 166F-167F 18B0-18F5",
    "Khmr": "1780-17D3 17D7 17DC-17DD",
    "Mong": "180B-180D 180F 1820-18AA",
    "Hira": "3041-3096 309D-309F",
    "Kana": "30A1-30FA 30FD-30FF 31F0-31FF FF66-FF6F FF71-FF9D",
    "Bopo": "3105-312F 31A0-31BF",
    "Hani": "3005 303B 3400-4DBF 4E00-9FFF F900-FAD9",
    "Yiii": "A000-A48C",
    "Olck": "1C5A-1C7D",
    "Tfng": "2D30-2D6F 2D7F",
    "Java": "A980-A9C0",
    "Mtei": "AAE0-AAEF AAF2-AAF6 ABC0-ABEA ABEC-ABED",
    "Bali": "1B00-1B4C 1B6B-1B73",
    "Sund": "1B80-1BAF 1BBA-1BBF",
}
CODES = (*SCRIPTS, "Jpan", "Kore", "Zyyy")
"""Codes by the number that `majority` gives; Zyyy: no letters."""

MIXED = 10  # Han counts as Japanese or Korean if kana or Hangul are a tenth of both: chosen; a stray の leaves Chinese Hani

_BMP = np.full(0x10000, len(SCRIPTS), np.uint8)
for _number, _ranges in enumerate(SCRIPTS.values()):
    for _first, _, _last in (_range.partition("-") for _range in _ranges.split()):
        _BMP[int(_first, 16) : int(_last or _first, 16) + 1] = _number
_NAMES = tuple(SCRIPTS)
_HANI, _HIRA, _KANA, _BOPO, _HANG = (_NAMES.index(code) for code in ("Hani", "Hira", "Kana", "Bopo", "Hang"))
_NONE = len(SCRIPTS)
_JPAN, _KORE, _ZYYY = _NONE, _NONE + 1, _NONE + 2


@inner_kernel
def _code_point(data: Array, j: Int, end: Int) -> tuple[Int, Int]:
    """The code point beyond ASCII at `j` of valid UTF-8, and the place after it (at most `end`)."""
    byte = np.int64(data[j])
    size = 2 + (byte >= 0xE0) + (byte >= 0xF0)
    code = byte & (0x7F >> size)
    for k in range(j + 1, min(j + size, end)):
        code = (code << 6) | (np.int64(data[k]) & 0x3F)
    return code, min(j + size, end)


@inner_kernel
def _main(counts: Array) -> Int:
    """Number of the script with most letters; the earlier of equals; Han goes with the kana or the Hangul beside it."""
    kana, han = counts[_HIRA] + counts[_KANA], counts[_HANI] + counts[_BOPO]
    best, most = _ZYYY, 0
    if kana and kana * MIXED >= kana + han and kana >= counts[_HANG]:
        best, most = _JPAN, kana + han
    elif counts[_HANG] and counts[_HANG] * MIXED >= counts[_HANG] + han:
        best, most = _KORE, counts[_HANG] + han
    elif han:
        best, most = _HANI, han
    for i in range(_NONE):
        taken = i in (_HANI, _BOPO) or (best == _JPAN and i in (_HIRA, _KANA)) or (best == _KORE and i == _HANG)
        if not taken and counts[i] > most:
            best, most = i, counts[i]
    return best


@kernel
def _majority(data: Array, spans: Array, counts: Array, letters: Array, scripts: Array) -> None:
    for i in range(spans.shape[0]):
        for k in range(counts.shape[0]):
            counts[k] = 0
        for part in range(spans.shape[1]):
            j, end = spans[i, part, 0], spans[i, part, 1]
            while j < end:
                if data[j] < 0x80:
                    counts[_BMP[data[j]]] += 1
                    j += 1
                    continue
                code, j = _code_point(data, j, end)
                if code < 0x10000:
                    counts[_BMP[code]] += 1
                elif 0x20000 <= code < 0x323B0:  # CJK extensions B to H
                    counts[_HANI] += 1
        letters[i] = 0
        for k in range(_NONE):
            letters[i] += counts[k]
        scripts[i] = _main(counts)


def majority(data: np.ndarray, spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(letters int64[n], scripts uint8[n])`: letters of each text, and the place in CODES of the script that most belong to.

    `spans` int64[n, parts, 2]: text i is `data[a:b]`, valid UTF-8, for each (a, b) of `spans[i]`. Of two scripts with as many
    letters the earlier in CODES.
    """
    letters, scripts = np.empty(len(spans), np.int64), np.empty(len(spans), np.uint8)
    _majority(data, spans, np.empty(_NONE + 1, np.int64), letters, scripts)
    return letters, scripts
