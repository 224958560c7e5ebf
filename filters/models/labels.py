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
_OTHER_CODES = """
alb:sq arm:hy at:de baq:eu bur:my chi:zh cn:zh cz:cs cze:cs dk:da dut:nl fre:fr gb:en geo:ka ger:de gr:el gre:el ice:is il:he
ir:fa iw:he ji:yi jp:ja jw:jv mac:mk mao:mi may:ms mo:ro per:fa rs:sr rum:ro scc:sr scr:hr se:sv slo:sk tib:bo ua:uk us:en vn:vi
wel:cy
"""
_MEANT = dict(pair.split(":") for pair in _OTHER_CODES.split())
"""Codes of countries, of ISO 639-2/B, and withdrawn ones, as people write them for these languages."""
_SCRIPTED = re.compile(r"([a-z]{2,3})[_-]([A-Z][a-z]{3})")
_WIKIPEDIA = frozenset({"als"})
"""Codes by which lid.176 means another language than ISO 639-3: `als` is Alemannic there, Tosk Albanian here."""


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


def unknown(codes: Iterable[str], model: tuple[str, ...], *, others: Collection[str] = ()) -> dict[str, list[str]]:
    """Codes of a plan that mean no language of a model's labels, nor one of `others`, each with those that may be meant."""
    known = {*languages(model), *others}
    odd = [code for code in codes if not names(code)[0] & known]
    near = {code: _MEANT.get(split(code)[0]) for code in odd}
    return {
        code: [meant] if meant in known else difflib.get_close_matches(split(code)[0], sorted(known), n=3, cutoff=0.5)
        for code, meant in near.items()
    }


def names(code: str) -> tuple[set[str], str | None]:
    """What a code in a plan may stand for: names of `languages`, and the script if the code has one."""
    language, script = split(code)
    if script is not None:
        return {language, _TWO_LETTERS.get(language, language)} - _WIKIPEDIA, script
    return {language} if language in _WIKIPEDIA else {language, _TWO_LETTERS.get(language, language)}, None
