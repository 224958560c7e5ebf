"""Phone numbers, by their form alone; no numbering plan is looked up beyond the country codes.

Nor by the phonenumbers library: a plan that knew which numbers are given out would leave 3 of the 5 international ones that this
finds in presidio-research's sentences, and of the 20 national ones it calls all valid, in one of its 245 regions or another.

Matched, as a run of digit groups that stands by itself:
- **international** (ITU-T E.164): `+`, a country code, 8 to 15 digits in all, separators (space - . / brackets) or none;
  `00` in place of `+` where a separator stands before or after the country code, and another one
  follows. After +1, ten digits as below.
- **North America**: (NXX) NXX-XXXX, NXX-NXX-XXXX, NXX.NXX.XXXX, N from 2 to 9, with 1 before it or not.
- **with a trunk zero** (most of Europe, Asia, Africa, Oceania): 0 and an area code, in brackets or not, one to four groups, 9 to
  11 digits in all, separators of one kind (after the area code also another); with dots only pairs, as in France.
- after a **word for phones** (tel, phone, fax, mobile, call us at, Handy, тел, 电话 …): 7 to 15 digits, however grouped.

Not matched: years, dates, versions, prices, ISBNs (they begin with a lone 0, or 978), CAS numbers, coordinates, hashes, longer
runs, and without a word before them local numbers of under nine digits and national ones without a trunk zero outside North
America. Time is linear: possessive patterns, which a run of digits meets once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from filters.edits.pii_numbers import Span, replaced

_CODES = (
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 "
    "86 90 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 "
    "237 238 239 240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 "
    "266 267 268 269 290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 "
    "379 380 381 382 383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 "
    "596 597 598 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 808 850 "
    "852 853 855 856 870 878 880 881 882 883 886 888 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 "
    "977 979 992 993 994 995 996 998"
)
COUNTRY_CODES = frozenset(_CODES.split())
"""ITU-T, List of Recommendation E.164 assigned country codes (15 December 2016, and later amendments)."""

_WORDS = (
    r"t[ée]l(?:[ée](?:fon|phone|fono|foon|fax))?|tlf|phone|fax|mob(?:ile?)?|cell(?:ular)?|handy|portable|whatsapp|"
    r"celular|(?:call|dial)(?:\s(?:us|me))?(?:\s(?:at|on))?|m[óo]vil|телефон|тел|факс|电话|電話|手机|전화"
)
_NAMED = re.compile(rf"(?i)(?<!\w)(?:{_WORDS})(?:\s?(?:no|nr|number))?[.:=#\s]{{0,3}}$")
_LOOK_BACK = 24
"""Characters in which the word and what follows it up to the number must stand."""
_LONGEST = 48
"""Characters of a run that are looked at for one number: fifteen digits, two separators after each."""
_SPACE = " \u00a0\u2009\u202f"
_HYPHEN = "-\u2010\u2011\u2013"
_JOINS = re.escape(_SPACE + _HYPHEN)
_RUN = re.compile(rf"(?=[{_JOINS}./()+0-9]{{7}})(?:\+|\()?+[0-9](?:[{_JOINS}./()]?+[{_JOINS}(]?+[0-9]++)*+")
"""Digits, with at most two separators between, and `+` or `(` before them."""
_GROUP = re.compile("[0-9]+")
_AREA = "[2-9][0-9]{2}"
_AMERICAN = re.compile(rf"(?:1[ .-]?)?(?:\({_AREA}\) ?{_AREA}[-. ]|{_AREA}-{_AREA}-|{_AREA}\.{_AREA}\.)[0-9]{{4}}")
_AMERICAN_DIGITS = re.compile(rf"1{_AREA}{_AREA}[0-9]{{4}}")
_AREA_CODE = re.compile(rf"\(0[1-9][0-9]{{1,4}}\)[{_JOINS}/]?|0[1-9][0-9]{{0,4}}[{_JOINS}./]")
_DATE = re.compile(
    r"(?:19|20)[0-9]{2}\D+(?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}([-./ ])[01][0-9]\1[0-3][0-9].*"
    r"|[0-3]?[0-9]([-./])[01]?[0-9]\2(?:19|20)[0-9]{2}"
)
_MAY_HOLD_PHONE = r"[0-9](?:[^0-9A-Za-z\n]{0,2}[0-9]){6}"


def mask_phones(texts: pl.Series, mask: str) -> pl.Series:
    return replaced(texts, mask=mask, candidates=_MAY_HOLD_PHONE, spans=phones)


def named(text: str) -> bool:
    """Whether the digits after this text are a phone number because of the word at its end."""
    return _NAMED.search(text[-_LOOK_BACK:]) is not None


def phones(text: str) -> Iterator[Span]:
    """Where phone numbers stand, in order. Of a run of digit groups its first number, and then those that follow it at once."""
    for run in _RUN.finditer(text):
        start, end = run.span()
        while end - start >= 7 and (span := _phone(text, start, end)):
            yield span
            left = _GROUP.search(text, span[1], end)
            if left is None:
                break
            start = left.start() - (text[left.start() - 1] == "(")


def _phone(text: str, start: int, end: int) -> Span | None:
    """The number with which the run of digit groups `text[start:end]` begins."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before.isalnum() or (before and before in "_+.,/-=@#$€£%"):
        return None
    if after.isalnum() or (after and after in "_@%€°+"):
        return None
    if after and after in ".," and text[end + 1 : end + 2].isdigit():
        return None
    run = text[start : min(end, start + _LONGEST)]
    if run[0] == "(" and ")" not in run:
        start, run = start + 1, run[1:]
    size = _size(run, text[max(0, start - _LOOK_BACK) : start], whole=end - start <= _LONGEST)
    return (start, start + size) if size else None


def _size(run: str, before: str, *, whole: bool) -> int:
    """How much of a run of digit groups is a phone number: 0 where it is none. `whole`: nothing of the run was cut off."""
    digits = "".join(_GROUP.findall(run))
    if run.startswith("+"):
        return _international(run, digits)
    groups = _GROUP.findall(run)
    if groups[0][:2] == "00" and len(groups) >= 3 and groups[0][2:] in ("", *COUNTRY_CODES):
        return _international(run, digits[2:])
    if american := _AMERICAN.match(run):
        return american.end() if run[american.end() : american.end() + 1] in ("", *_SPACE) else 0
    if not whole:
        return 0
    if _trunk(run, digits):
        return len(run)
    fits = 7 <= len(digits) <= 15 and not _DATE.fullmatch(run) and run.count("(") == run.count(")")
    return len(run) if fits and named(before) else 0


def _international(run: str, digits: str) -> int:
    """The longest part of the run, in whole groups, that is one: another number may follow. `digits`: without the `00`."""
    code = next((digits[:n] for n in (1, 2, 3) if digits[:n] in COUNTRY_CODES), None)
    if code is None:
        return 0
    size, count = 0, 0 if run.startswith("+") else -2
    for group in _GROUP.finditer(run):
        count += len(group[0])
        if count > 15:
            break
        if count >= 8 and (code != "1" or _AMERICAN_DIGITS.fullmatch(digits[:count])):
            size = group.end()
    return size


def _trunk(run: str, digits: str) -> bool:
    groups = [len(group) for group in _GROUP.findall(run)]
    first = _AREA_CODE.match(run)
    if first is None or not 9 <= len(digits) <= 11 or not 2 <= len(groups) <= 5:
        return False
    rest = {char for char in run[first.end() :] if not char.isdigit()}
    rest = {" " if char in _SPACE else "-" if char in _HYPHEN else char for char in rest}
    if "." in run:
        return groups == [2, 2, 2, 2, 2] and rest == {"."} and first[0].endswith(".")
    return rest in (set(), {" "}, {"-"}) and min(groups) >= 2
