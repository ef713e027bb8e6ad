#!/usr/bin/env python3
"""Checks a Prometheus text exposition (0.0.4) strictly, and answers questions about it.

promcheck.py FILE                 fails where the text is not what the format and its conventions ask for
promcheck.py FILE NAME [L=V...]   prints the sum of the samples of that name with these labels; fails where there is none
"""
import math
import re
import sys

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
VALUE = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|Inf)|NaN")


class Bad(Exception):
    pass


def parse_labels(text):
    labels, at = {}, 0
    while at < len(text):
        m = LABEL.match(text, at)
        if not m:
            raise Bad("label")
        if m.group(1) in labels:
            raise Bad("label twice")
        value = re.sub(r"\\(.)", lambda e: {"n": "\n"}.get(e.group(1), e.group(1)), m.group(2))
        labels[m.group(1)] = value
        at = m.end()
        if at < len(text):
            if text[at] != ",":
                raise Bad("between labels")
            at += 1
            if at == len(text):
                raise Bad("comma at the end")
    return labels


def parse_sample(line):
    m = NAME.match(line)
    if not m:
        raise Bad("name")
    name, rest, labels = m.group(0), line[m.end():], {}
    if rest.startswith("{"):
        # the last brace before the value: braces may stand in values of labels
        end = rest.rindex("} ")
        labels, rest = parse_labels(rest[1:end]), rest[end + 1:]
        if not labels:
            raise Bad("empty braces")
    if not rest.startswith(" ") or not VALUE.fullmatch(rest[1:]):
        raise Bad("value")
    return name, labels, float(rest[1:])


def base_of(name, types):
    for suffix in ("_bucket", "_sum", "_count"):
        stem = name[: -len(suffix)]
        if name.endswith(suffix) and types.get(stem) == "histogram":
            return stem
    return name


def check_histograms(samples, types):
    rows = {}
    for name, labels, value in samples:
        stem = base_of(name, types)
        if types[stem] != "histogram":
            continue
        rest = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        row = rows.setdefault((stem, rest), {"le": []})
        if name.endswith("_bucket"):
            row["le"].append((float(labels["le"].replace("+Inf", "inf")), value))
        else:
            row[name[len(stem):]] = value
    for key, row in rows.items():
        bounds = [b for b, _ in row["le"]]
        counts = [c for _, c in row["le"]]
        if bounds != sorted(set(bounds)) or not bounds or not math.isinf(bounds[-1]):
            raise Bad("%s: bounds" % (key,))
        if counts != sorted(counts) or counts[-1] != row["_count"] or row["_sum"] < 0:
            raise Bad("%s: counts" % (key,))
        if row["_count"] == 0 and row["_sum"] != 0:
            raise Bad("%s: sum" % (key,))


def parse(text):
    if not text.endswith("\n") or "\r" in text:
        raise Bad("line ends")
    helps, types, samples, seen, current, closed = {}, {}, [], set(), None, set()
    for number, line in enumerate(text[:-1].split("\n"), 1):
        try:
            if line.startswith("# HELP "):
                _, _, name, words = line.split(" ", 3)
                if name in helps or not words.endswith("."):
                    raise Bad("help")
                helps[name] = words
                if current:
                    closed.add(current)
                current = name
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                if name != current or name in types or kind not in ("counter", "gauge", "histogram"):
                    raise Bad("type")
                if (kind == "counter") != name.endswith("_total"):
                    raise Bad("a counter, and nothing else, ends with _total")
                types[name] = kind
            else:
                name, labels, value = parse_sample(line)
                stem = base_of(name, types)
                if stem != current or stem in closed or stem not in types:
                    raise Bad("sample outside of its family")
                if (types[stem] == "histogram") != (stem != name):
                    raise Bad("sample of a histogram")
                if types[stem] != "gauge" and (value < 0 or (not name.endswith("_sum") and stem.endswith("_total") and value % 1 and "seconds" not in stem)):
                    raise Bad("value of a counter")
                key = (name, tuple(sorted(labels.items())))
                if key in seen:
                    raise Bad("sample twice")
                seen.add(key)
                samples.append((name, labels, value))
        except (Bad, ValueError) as wrong:
            raise Bad("line %d: %s: %s" % (number, wrong, line)) from None
    if set(helps) != set(types):
        raise Bad("HELP without TYPE")
    check_histograms(samples, types)
    return samples


def main():
    with open(sys.argv[1], "rb") as f:
        try:
            samples = parse(f.read().decode("utf-8"))
        except Bad as wrong:
            sys.exit("promcheck: %s" % wrong)
    if len(sys.argv) == 2:
        return
    want = dict(a.split("=", 1) for a in sys.argv[3:])
    hits = [v for n, l, v in samples if n == sys.argv[2] and all(l.get(k) == w for k, w in want.items())]
    if not hits:
        sys.exit("promcheck: no %s %s" % (sys.argv[2], want))
    total = sum(hits)
    print(int(total) if total == int(total) else total)


main()
