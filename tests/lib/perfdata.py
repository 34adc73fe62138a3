#!/usr/bin/env python3
"""Read what a Nagios plug-in printed, as strictly as the Monitoring Plugins
Development Guidelines allow, and say what is in it.

    perfdata.py <OUTPUT

The first line is SERVICE STATE - TEXT | PERFDATA, what follows is long text
without a bar. It prints the state, then each datum as LABEL VALUE UNIT WARN
CRIT MIN MAX with "-" for what is not there. Anything else is an error.
"""

import re
import sys

NUMBER = r"-?\d+(?:\.\d+)?"
RANGE = r"@?(?:(?:~|%s)?:(?:%s)?|%s)" % (NUMBER, NUMBER, NUMBER)
DATUM = re.compile(
    r"(?:'((?:[^'=]|'')+)'|([^\s'=]+))=(U|%s)(us|ms|s|%%|B|KB|MB|GB|TB|c)?"
    r"(?:;(%s)?)?(?:;(%s)?)?(?:;(%s)?)?(?:;(%s)?)?" %
    (NUMBER, RANGE, RANGE, NUMBER, NUMBER))


def main():
    text = sys.stdin.read()
    if not text.endswith("\n"):
        sys.exit("the last line has no end")
    first, *more = text[:-1].split("\n")
    if any("|" in line for line in more):
        sys.exit("a bar in the long text")
    if not all(c.isprintable() for line in [first] + more for c in line):
        sys.exit("a character that cannot be printed")
    if len(text) > 8192:
        sys.exit("longer than Nagios reads")
    match = re.fullmatch(
        r"([A-Z]+) (OK|WARNING|CRITICAL|UNKNOWN) - ([^|]*[^| ]) \| ([^|]+)",
        first)
    if match is None:
        sys.exit("not SERVICE STATE - TEXT | PERFDATA: " + first)
    print(match.group(2))
    rest, labels = match.group(4), []
    while rest:
        datum = DATUM.match(rest)
        if datum is None:
            sys.exit("not a datum: " + rest)
        label = datum.group(1) or datum.group(2)
        labels.append(label[:19])
        print(label, *(part if part else "-" for part in datum.groups()[2:]))
        rest = rest[datum.end():]
        if rest and rest[0] != " ":
            sys.exit("no blank before: " + rest)
        rest = rest.lstrip(" ")
    if len(set(labels)) != len(labels):
        sys.exit("two labels with the same first 19 characters")


main()
