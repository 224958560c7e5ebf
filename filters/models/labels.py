"""Labels of language models as Winnow's languages: ISO 639-1 where there is such a code, as in lid.176, else the model's own.

lid.176 names languages as Wikipedia names its editions (`en`, `ceb`, `zh`), GlotLID and OpenLID by ISO 639-3 and script
(`eng_Latn`). Everything that depends on a language (lists of stop words, models' languages, `keep`) goes by one of these names.
Source: ISO 639-3, table of codes, with the individual language that most text of a macrolanguage is in (`cmn` for `zh`) named as
the macrolanguage; Norwegian (`nob`, `nor`) is `no`, as in lid.176.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable

import numpy as np

_CODES = """
aar:aa abk:ab afr:af aka:ak als:sq amh:am ara:ar arb:ar arg:an asm:as ava:av ave:ae aym:ay ayr:ay aze:az azj:az bak:ba
bam:bm bel:be ben:bn bis:bi bod:bo bos:bs bre:br bul:bg cat:ca ces:cs cha:ch che:ce chu:cu chv:cv cmn:zh cor:kw cos:co
cre:cr cym:cy dan:da deu:de div:dv dzo:dz ekk:et ell:el eng:en epo:eo est:et eus:eu ewe:ee fao:fo fas:fa fij:fj fin:fi
fra:fr fry:fy ful:ff gaz:om gla:gd gle:ga glg:gl glv:gv grn:gn gug:gn guj:gu hat:ht hau:ha hbs:sh heb:he her:hz hin:hi
hmo:ho hrv:hr hun:hu hye:hy ibo:ig ido:io iii:ii ike:iu iku:iu ile:ie ina:ia ind:id ipk:ik isl:is ita:it jav:jv jpn:ja
kal:kl kan:kn kas:ks kat:ka kau:kr kaz:kk khk:mn khm:km kik:ki kin:rw kir:ky kmr:ku knc:kr kom:kv kon:kg kor:ko kua:kj
kur:ku lao:lo lat:la lav:lv lim:li lin:ln lit:lt ltz:lb lub:lu lug:lg lvs:lv mah:mh mal:ml mar:mr mkd:mk mlg:mg mlt:mt
mon:mn mri:mi msa:ms mya:my nau:na nav:nv nbl:nr nde:nd ndo:ng nep:ne nld:nl nno:nn nob:no nor:no npi:ne nya:ny oci:oc
oji:oj ori:or orm:om ory:or oss:os pan:pa pbt:ps pbu:ps pes:fa pli:pi plt:mg pol:pl por:pt pus:ps que:qu quy:qu roh:rm
ron:ro run:rn rus:ru sag:sg san:sa sin:si slk:sk slv:sl sme:se smo:sm sna:sn snd:sd som:so sot:st spa:es sqi:sq srd:sc
srp:sr ssw:ss sun:su swa:sw swe:sv swh:sw tah:ty tam:ta tat:tt tel:te tgk:tg tgl:tl tha:th tir:ti ton:to tsn:tn tso:ts
tuk:tk tur:tr twi:tw uig:ug ukr:uk urd:ur uzb:uz uzn:uz ven:ve vie:vi vol:vo wln:wa wol:wo xho:xh ydd:yi yid:yi yor:yo
zha:za zho:zh zlm:ms zsm:ms zul:zu
"""
_TWO_LETTERS = dict(pair.split(":") for pair in _CODES.split())
KIN = (frozenset({"sh", "hr", "sr", "bs"}),)
"""Languages that a model takes for one another because they are one macrolanguage (ISO 639-3 hbs), whose code it may give too:
its scores for them belong together. Chosen because lid.176 gives half of one paragraph to each."""
RELATIVES = (*KIN, frozenset({"no", "nb", "nn"}), frozenset({"id", "ms"}))
"""Languages that are written so much alike that a list which names one is taken to mean the texts of all: chosen because
lid.176 gives them for one another, and eldc's table knows one of each only."""
SHORT = frozenset(_TWO_LETTERS.values())
"""Languages with a code of two letters."""
_SCRIPTED = re.compile(r"([a-z]{2,3})[_-]([A-Z][a-z]{3})")
_NAMED = """
english:en german:de french:fr spanish:es portuguese:pt italian:it dutch:nl russian:ru ukrainian:uk polish:pl czech:cs slovak:sk
slovene:sl slovenian:sl croatian:hr serbian:sr bosnian:bs montenegrin:sr,hr,bs serbo-croatian:sh,hr,sr,bs macedonian:mk
bulgarian:bg romanian:ro moldovan:ro hungarian:hu greek:el albanian:sq turkish:tr azerbaijani:az persian:fa farsi:fa arabic:ar
hebrew:he urdu:ur hindi:hi bengali:bn punjabi:pa gujarati:gu marathi:mr tamil:ta telugu:te kannada:kn malayalam:ml nepali:ne
sinhala:si thai:th lao:lo khmer:km burmese:my vietnamese:vi indonesian:id malay:ms tagalog:tl filipino:tl cebuano:ceb
javanese:jv chinese:zh mandarin:zh cantonese:yue,zh japanese:ja korean:ko mongolian:mn tibetan:bo kazakh:kk uzbek:uz tatar:tt
georgian:ka armenian:hy estonian:et latvian:lv lithuanian:lt finnish:fi swedish:sv danish:da norwegian:no,nn icelandic:is
irish:ga welsh:cy scottish:gd,sco scots:sco breton:br basque:eu catalan:ca galician:gl occitan:oc latin:la esperanto:eo
afrikaans:af swahili:sw yoruba:yo somali:so amharic:am maltese:mt luxembourgish:lb frisian:fy belarusian:be yiddish:yi sanskrit:sa
deutsch:de francais:fr espanol:es italiano:it russkij:ru
jp:ja cn:zh kr:ko gr:el ua:uk dk:da se:sv cz:cs tw:zh hk:yue,zh br:pt rs:sr ba:bs si:sl iw:he in:id,hi ji:yi mo:ro sp:es
nb:no gsw:als us:en gb:en at:de ch:de,zh ir:fa vn:vi ph:tl ee:et al:sq
alb:sq arm:hy baq:eu bur:my chi:zh cze:cs dut:nl fre:fr geo:ka ger:de gre:el ice:is mac:mk may:ms per:fa rum:ro scc:sr scr:hr
slo:sk tib:bo wel:cy cnr:sr,hr,bs hbs:sh,hr,sr,bs sh:hr,sr,bs cmn:zh fil:tl nob:no
"""
_MEANT = {name: tuple(codes.split(",")) for name, codes in (pair.split(":") for pair in _NAMED.split())}
"""Names of languages in English, codes of countries, and codes of ISO 639-2/B or withdrawn ones → what may be meant."""
_WIKIPEDIA = frozenset({"als"})
"""Codes by which lid.176 means another language than ISO 639-3: `als` is Alemannic there, Tosk Albanian here."""


_SPELLED = re.compile(
    r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_](?:[A-Za-z]{2}|[0-9]{3}))?(?:[-_](?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)
"""A language tag of BCP 47: language, script, region and variants."""
_ALSO = """
alb:sq arm:hy baq:eu bur:my chi:zh cze:cs dut:nl fre:fr geo:ka ger:de gre:el ice:is mac:mk mao:mi may:ms per:fa rum:ro slo:sk
tib:bo wel:cy scc:sr scr:hr fil:tl iw:he in:id ji:yi jw:jv mo:ro nb:no
"""
_OTHERWISE = dict(pair.split(":") for pair in _ALSO.split())
"""Codes of ISO 639-2/B, withdrawn ones, and some that lid.176 has another name for."""


def understood(code: str) -> str:
    """A code of ISO 639-1, -2 or -3, or a tag of BCP 47, as a code of a plan: `en` for en-US, `zh_Hans` for zh-Hans, `de` for
    ger, `he` for iw. What is no such tag stays as it is."""
    found = _SPELLED.fullmatch(code)
    if found is None:
        return code
    language = found[1].lower()
    language = _OTHERWISE.get(language, language)
    return f"{language}_{found[2].title()}" if found[2] else language


def canonical(code: str) -> str:
    """A code of any spelling as the column `language` has it, without its script."""
    language, script = split(understood(code))
    return language if language in _WIKIPEDIA and script is None else languages((language,))[0]


def written(script: str) -> tuple[str, ...]:
    """The scripts of texts that a plan means by one: Chinese in simplified or traditional characters is in Han characters where a
    model does not tell these apart."""
    return ("Hani", script) if script in ("Hans", "Hant") else (script,)


def split(label: str) -> tuple[str, str | None]:
    """`eng_Latn` as `("eng", "Latn")`; `en`, or any other form, as `(label, None)`."""
    found = _SCRIPTED.fullmatch(label)
    return (found[1], found[2]) if found else (label, None)


def languages(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The language of each label of a model. A code keeps its name where the model has a label of the shorter name too."""
    codes = [split(label)[0] for label in labels]
    known = set(codes)
    return tuple(code if (short := _TWO_LETTERS.get(code, code)) in known else short for code in codes)


def scripts(labels: tuple[str, ...]) -> tuple[str | None, ...]:
    """The ISO 15924 code in each label, None where it has none."""
    return tuple(split(label)[1] for label in labels)


def kin(languages: tuple[str, ...], groups: tuple[frozenset[str], ...] = KIN) -> np.ndarray:
    """int64[n]: a number for each language, the same for those of one of the groups."""
    first = {
        name: min(i for i, one in enumerate(languages) if one in group) for group in groups for name in group & set(languages)
    }
    return np.array([first.get(name, i) for i, name in enumerate(languages)], np.int64)


def names(code: str) -> tuple[set[str], str | None]:
    """What a code in a plan may stand for: names of `languages`, and the script if the code has one. `sh`, which a model gives to
    some texts in each of its languages, stands for them, and each of them for it."""
    language, script = split(code)
    found = {language} if language in _WIKIPEDIA and script is None else {language, _TWO_LETTERS.get(language, language)}
    if "sh" in found:
        found |= KIN[0]
    elif found & KIN[0]:
        found.add("sh")
    return (found - _WIKIPEDIA if script is not None else found), script


def with_relatives(code: str) -> tuple[set[str], str | None]:
    """As `names`, with the languages that are told from these by chance only (RELATIVES); Croatian and Bosnian in Latin
    letters."""
    found, script = names(code)
    for group in RELATIVES:
        if found & group:
            if script is None and found & {"hr", "bs"} and "sr" not in found:
                script = "Latn"
            found |= group
    return found, script


def unknown(codes: Iterable[str], labels: tuple[str, ...]) -> str | None:
    """What is to be said of codes that no label of a model means, with the nearest ones that it has; None where all are known."""
    known = {*languages(labels), "und", "zxx"}
    scripted = {(language, script) for language, script in zip(languages(labels), scripts(labels), strict=True) if script}
    said = []
    for code in codes:
        meant, script = names(code)
        if not meant & known or (script and scripted and not any((one, script) in scripted for one in meant)):
            near = suggested(code, known if meant.isdisjoint(known) else {f"{a}_{b}" for a, b in scripted if a in meant})
            said.append(f"{code}: the model knows no such language{f'; did you mean {near}?' if near else ''}")
    return "; ".join(said) or None


def suggested(code: str, known: Collection[str]) -> str:
    """The codes of `known` that someone may have meant by this one, most likely first: `hr, sr or bs`; "" without any."""
    plain = code.lower().strip()
    base = re.split("[-_ ]", plain)[0]
    prose = set(known) - {"und", "zxx"}  # nobody misspells these: `xx` is no language either
    meant = [one for name in (plain, base) for one in (*_MEANT.get(name, ()), _TWO_LETTERS.get(name, ""), name) if one in known]
    if not meant:
        near = difflib.get_close_matches(plain, _MEANT, n=1, cutoff=0.8)
        meant = [one for name in near for one in _MEANT[name] if one in known]
    meant = meant or sorted(one for one in known if split(one)[0] == base) or difflib.get_close_matches(plain, sorted(prose), n=3)
    *first, last = dict.fromkeys(meant) or [""]
    return f"{', '.join(first)} or {last}" if first else last
