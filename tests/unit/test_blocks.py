"""Refusals and challenges of firewalls, in the forms that their makers' documents show."""

import pytest

from workers.blocks import blocker

CASES: list[tuple[int, dict[str, str], bytes, str | None]] = [
    (403, {"cf-mitigated": "challenge", "server": "cloudflare"}, b"<title>Just a moment...</title>", "Cloudflare"),
    (403, {"server": "cloudflare"}, b"<title>Attention Required! | Cloudflare</title>", "Cloudflare"),
    (503, {}, b'<script src="/cdn-cgi/challenge-platform/h/g/orchestrate/jsch/v1"></script>', "Cloudflare"),
    (403, {"server": "AkamaiGHost"}, b"<H1>Access Denied</H1>", "Akamai"),
    (403, {}, b"Reference&#32;&#35;18 <P>https&#58;&#47;&#47;errors.edgesuite.net/18", "Akamai"),
    (403, {"x-iinfo": "1"}, b"Request unsuccessful. Incapsula incident ID: 1-2", "Imperva"),
    (200, {"x-iinfo": "1"}, b'<html><head><script src="/_Incapsula_Resource?SWJIYLWA=1"></script>', "Imperva"),
    (200, {"x-iinfo": "1"}, b'<title>Home</title><script src="/_Incapsula_Resource?x"></script>', None),
    (202, {"x-amzn-waf-action": "challenge"}, b"", "AWS WAF"),
    (405, {"x-amzn-waf-action": "captcha"}, b"", "AWS WAF"),
    (429, {"x-vercel-mitigated": "challenge"}, b"", "Vercel"),
    (403, {"x-sucuri-block": "IP"}, b"", "Sucuri"),
    (403, {"x-datadome-cid": "a"}, b"", "DataDome"),
    (403, {}, b"<div id=px-captcha></div>", "HUMAN"),
    (403, {}, b"The requested URL was rejected. Please consult with your administrator.", "F5"),
    (403, {"server": "nginx"}, b"<h1>403 Forbidden</h1>", None),
    (200, {"server": "cloudflare"}, b'<script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script>', None),
    (200, {}, b"A page about px-captcha and ddos-guard", None),
    (404, {}, b"ddos-guard", None),
    (429, {"retry-after": "5"}, b"slow down", None),
]


@pytest.mark.parametrize(("status", "headers", "body", "who"), CASES)
def test_who_refused_us(status: int, headers: dict[str, str], body: bytes, who: str | None) -> None:
    assert blocker(status, headers, body) == who
