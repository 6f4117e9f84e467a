"""The character encoding of a page: byte order mark, then Content-Type, then `<meta>`, else UTF-8."""

import codecs
import re
from functools import lru_cache

#: those of the Encoding Standard; Python knows more, and some of them (punycode, unicode_escape) do harm
_KNOWN = re.compile(
    r"utf-?8|utf-?16(?:le|be)?|(?:us-)?ascii|iso-?8859-?\d{1,2}(?:-[ei])?|latin-?\d|windows-?\d{3,4}|cp\d{3,4}"
    r"|koi8-?[ru]|big5(?:-hkscs)?|gb2312|gbk|gb18030|hz-gb-2312|euc-?(?:jp|kr|cn)|shift[-_]?jis|sjis|iso-2022-jp"
    r"|macintosh|x-mac-cyrillic|tis-620|ks_c_5601-1987"
).fullmatch
#: of a Content-Type (MIME Sniffing, 4.4): name, value in quotes, value without
_PARAMETER = re.compile(r""";\s*+([^=;,"\s]++)=(?:"((?:[^"\\]|\\.)*+)"\s*+|([^;,"]*+))(?=[;,]|$)""").finditer
#: a comment, or a tag with its attributes; what is in quotes is neither
_TOKEN = re.compile(
    rb"""<!--(?:.*?-->|.*)|<(/?[a-z][^\s/>]*+)((?:[^>"']++|"[^"]*+"|'[^']*+')*+)>""", re.I | re.S
).finditer
_ATTRIBUTE = re.compile(rb"""([^\s/>=]++)\s*+(?:=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>]++)))?""").finditer
_IN_CONTENT = re.compile(rb"charset\s*+=\s*+[\"']?([^\s\"';]+)", re.I).search
_XML = re.compile(rb"""\s*+<\?xml\s[^>]{0,200}?encoding\s*+=\s*+["']([^"'>]{1,40})["']""").match
#: bytes in which a page may say its encoding (HTML, 13.2.3.2)
_HEAD = 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
#: what the labels mean by the Encoding Standard, where Python takes them more narrowly
_WIDER = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "utf-16": "utf-16-le",
}


def to_utf8(body: bytes, content_type: str | None) -> bytes:
    """`body` as valid UTF-8; what cannot be decoded becomes U+FFFD. Never raises."""
    name, mark = encoding_of(body, content_type)
    return _recoded(body[mark:], name)


def encoding_of(body: bytes, content_type: str | None) -> tuple[str, int]:
    """(Python's name of the encoding, bytes of the byte order mark)."""
    for bom, marked in _BOMS:
        if body.startswith(bom):
            return marked, len(bom)
    return _from_header((content_type or "")[:_HEAD]) or _from_head(body[:_HEAD]) or "utf-8", 0


@lru_cache(500)
def _from_header(content_type: str) -> str | None:
    for name, quoted, bare in _parameters(content_type):
        if name.lower() == "charset" and (codec := _codec(quoted or bare)):
            return codec
    return None


def _parameters(content_type: str) -> list[tuple[str, str, str]]:
    return [(m[1], m[2] or "", (m[3] or "").strip()) for m in _PARAMETER(f";{content_type}")]


def _from_head(head: bytes) -> str | None:
    declared = _XML(head)
    name = _label(declared[1]) if declared else None
    if name is None and b"charset" in head.lower():
        name = next(filter(None, map(_from_tag, _TOKEN(head))), None)
    # What can be read so far is not UTF-16, whatever it says (HTML, 13.2.3.2).
    return None if name and name.startswith("utf-16") else name


def _from_tag(token: re.Match[bytes]) -> str | None:
    return _from_meta(token[2]) if (token[1] or b"").lower() == b"meta" else None


@lru_cache(500)  # most sites say it with the same words
def _from_meta(attributes: bytes) -> str | None:
    """The encoding that a `<meta>` declares: the first of each attribute counts."""
    found: dict[bytes, bytes] = {}
    for name, double, single, bare in (m.groups(b"") for m in _ATTRIBUTE(attributes)):
        found.setdefault(name.lower(), double or single or bare)
    content = _IN_CONTENT(found.get(b"content", b""))
    is_type = found.get(b"http-equiv", b"").strip().lower() == b"content-type"
    return _label(found.get(b"charset", b"")) or (_label(content[1]) if is_type and content else None)


def _label(text: bytes) -> str | None:
    return _codec(text.decode("ascii", "replace").strip())


def _codec(label: str) -> str | None:
    label = label.lower()
    if not _KNOWN(label):
        return None
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return None
    return _WIDER.get(name, name)


def _recoded(body: bytes, name: str) -> bytes:
    if name == "utf-8":
        try:
            body.decode()
        except UnicodeDecodeError:
            return body.decode("utf-8", "replace").encode()
        return body
    return body.decode(name, "replace").encode("utf-8", "replace")
