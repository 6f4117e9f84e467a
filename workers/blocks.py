"""Whether an answer is a firewall's refusal or challenge instead of the page, and whose. Pure."""

from collections.abc import Mapping

#: bytes of a body that are searched; challenges are small, and say who they are early
_SEARCHED = 20_000
#: headers that only refusals and challenges carry, with the start of the value that does (empty: any)
_HEADERS = (
    ("cf-mitigated", "challenge", "Cloudflare"),
    ("x-vercel-mitigated", "", "Vercel"),
    ("x-amzn-waf-action", "", "AWS WAF"),
    ("x-sucuri-block", "", "Sucuri"),
    ("x-datadome-cid", "", "DataDome"),
    ("x-dd-b", "", "DataDome"),
)
#: texts in the body of a refusal
_TEXTS = (
    (b"/cdn-cgi/challenge-platform/", "Cloudflare"),
    (b"Attention Required! | Cloudflare", "Cloudflare"),
    (b"cf-error-details", "Cloudflare"),
    (b"errors.edgesuite.net", "Akamai"),
    (b"Incapsula incident ID", "Imperva"),
    (b"_Incapsula_Resource", "Imperva"),
    (b"Sucuri WebSite Firewall", "Sucuri"),
    (b"captcha-delivery.com", "DataDome"),
    (b"px-captcha", "HUMAN"),
    (b"The requested URL was rejected. Please consult with your administrator", "F5"),
    (b"ddos-guard", "DDoS-Guard"),
)
_REFUSALS = frozenset({401, 403, 405, 406, 429, 503})


def blocker(status: int, headers: Mapping[str, str], body: bytes) -> str | None:
    """Who refused or challenged us, None where nothing says that anybody did. `headers` has lower-case names."""
    for name, start, who in _HEADERS:
        value = headers.get(name)
        if value is not None and value.lower().startswith(start):
            return who
    if status not in _REFUSALS and not (status == 200 and "x-iinfo" in headers and len(body) < _SEARCHED):
        return None
    head = body[:_SEARCHED]
    found = next((who for text, who in _TEXTS if text in head), None)
    if found is None and status == 403 and headers.get("server", "").lower().startswith("akamaighost"):
        return "Akamai"
    # an Imperva site says x-iinfo with its own pages, too
    return found if status != 200 or (found == "Imperva" and b"<title>" not in head.lower()) else None
