"""The character encoding of a page: byte order mark, then Content-Type, then `<meta>`, else UTF-8."""

import codecs
import re

#: those of the Encoding Standard; Python knows more, and some of them (punycode, unicode_escape) do harm
_KNOWN = re.compile(
    r"utf-?8|utf-?16(?:le|be)?|(?:us-)?ascii|iso-?8859-?\d{1,2}(?:-[ei])?|latin-?\d|windows-?\d{3,4}|cp\d{3,4}"
    r"|koi8-?[ru]|big5(?:-hkscs)?|gb2312|gbk|gb18030|hz-gb-2312|euc-?(?:jp|kr|cn)|shift[-_]?jis|sjis|iso-2022-jp"
    r"|macintosh|x-mac-cyrillic|tis-620|ks_c_5601-1987"
).fullmatch
_HEADER = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.I).search
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.I).search
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
#: the labels that browsers read as Windows-1252
_WESTERN = frozenset({"iso8859-1", "ascii"})


def to_utf8(body: bytes, content_type: str | None) -> bytes:
    """`body` as valid UTF-8; what cannot be decoded becomes U+FFFD. Never raises."""
    for bom, marked in _BOMS:
        if body.startswith(bom):
            return _recoded(body[len(bom) :], marked)
    match = _HEADER(content_type) if content_type else None
    name = _codec(match[1]) if match else None
    return _recoded(body, name or _from_meta(body) or "utf-8")


def _from_meta(body: bytes) -> str | None:
    match = _META(body[:1024])
    name = _codec(match[1].decode("ascii", "replace")) if match else None
    # A meta element that can be read is not UTF-16, whatever it says (HTML, 13.2.3.2).
    return None if name and name.startswith("utf-16") else name


def _codec(label: str) -> str | None:
    label = label.lower()
    if not _KNOWN(label):
        return None
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return None
    return "cp1252" if name in _WESTERN else name


def _recoded(body: bytes, name: str) -> bytes:
    if name == "utf-8":
        try:
            body.decode()
        except UnicodeDecodeError:
            return body.decode("utf-8", "replace").encode()
        return body
    return body.decode(name, "replace").encode("utf-8", "replace")
