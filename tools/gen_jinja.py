#!/usr/bin/env python3
"""gen_jinja.py < tests/vectors/jinja/snippets.txt > tests/vectors/jinja/cases.json - what Python makes
of small templates, in the sandbox that Hugging Face's transformers sets up for chat templates: the
snippets (apart by lines of ----), and filters, tests, methods and operators over values of every
kind, some of all their pairs. Needs jinja2 3.1; what it gives that names an address in memory is left
out, like pprint of more than one line. A case is [template, text], or [template] where Python raises."""
import copy
import datetime
import json
import random
import re
import sys

import jinja2.ext
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

VARIABLES = {
    "messages": [{"role": "user", "content": "Hi \u00e9 \u4f60"}], "n": 5, "f": 2.5,
    "s": "Hello World foo", "l": [3, 1, 2], "d": {"b": 1, "a": 2, "C": "x"}, "none": None, "t": True,
    "e": "", "el": [], "html": "<a href='x'>&\"</a>",
    "long": "The quick brown fox jumps over the lazy dog, away from the very-long-hyphenated-word.",
    "users": [{"name": "Bob", "age": 30, "x": {"y": 1}}, {"name": "alice", "age": 25, "x": {"y": 2}},
              {"name": "Carl", "age": 30, "x": {"y": 1}}],
    "uni": "Stra\u00dfe \u01c5 \ufb01 \u0130", "words": ["b", "A", "c", "a"],
    "nested": [[1, 2], [3, [4, 5]]], "add_generation_prompt": False, "tools": None,
    "documents": None}
VALUES = """n f s l d none t e el html long users uni missing words nested -3 1.0 1e20 0.1 [] {} (1,2)
range(3) namespace(a=1) users[0].zz '%s' '12' '1.5e3' 'a,b,,c' 'A\\nB\\n\\nC' (s|safe)""".split()
FILTERS = """abs attr("name") batch(2) batch(2,"-") capitalize center(20) count d("z",true)
default("z") dictsort dictsort(true) dictsort(by="value",reverse=true) e filesizeformat first float
float(7) forceescape format(1) groupby("age") indent indent(2,true) indent(width=">",blank=true) int
int(9) int(9,16) items join("-") join(",",attribute="name") last length list lower map("upper")
map(attribute="x.y") map(attribute="zz",default="Q") max max(attribute="age") min reject
rejectattr("age","gt",26) replace("a","b") replace("o","0",1) reverse round round(1,"floor")
round(-1,"ceil") safe select select("odd") selectattr("age","eq",30) slice(2) slice(2,"-") sort
sort(case_sensitive=true) sort(attribute="age,name") sort(reverse=true,attribute="name") string
striptags sum sum(start=10) sum(attribute="age") title tojson tojson(indent=2) trim trim("Hd")
tojson(separators=(",",":"),ensure_ascii=true) truncate(10) truncate(10,true,"") unique upper
unique(attribute="age") urlencode wordcount wordwrap wordwrap(10) wordwrap(7,false)
wordwrap(3,true,"|",false) xmlattr nosuch pprint""".split()
TESTS = """boolean callable defined divisibleby(3) eq(5) escaped even false filter float ge(2) in([5,"a"])
integer iterable lower lt(3) mapping ne(5) none number odd sameas(none) sequence string test true
undefined upper nosuch in("abc")""".split()
METHODS = """capitalize() casefold() center(9,"*") count("o") endswith(("o","c")) expandtabs(4)
find("o",5) format("x",k=1) index("o") isalnum() isdigit() isidentifier() islower() isspace()
istitle() join(["a","b"]) ljust(9,".") lower() lstrip("aH") partition("o") removeprefix("H")
replace("o","-",1) rindex("o") rjust(9) rpartition("o") rsplit("o",1) rsplit() rstrip("o") split()
split("o",1) split(maxsplit=1) splitlines(true) startswith("e",1) strip("Ho") swapcase() title()
zfill(19) nosuch() nosuch append(1) copy() count(1) index(1) pop() get("a") get("zz",7) items() keys()
values() update({}) fromkeys([1,2]) bit_length() is_integer() __class__ real""".split()
OPERATORS = "+ - * / // % ** ~ == != < <= > >= and or in".split()


class Generation(jinja2.ext.Extension):
    """transformers' {% generation %}: its body as it is."""
    tags = {"generation"}

    def parse(self, parser):
        at = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(at)

    @jinja2.pass_eval_context
    def _body(self, context, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = datetime.datetime(2024, 7, 26, 12, 0, 0).strftime
    return env


def templates(snippets):
    yield from snippets
    pairs = []
    for v in VALUES:
        pairs += ["{{ %s | %s }}" % (v, f) for f in FILTERS]
        pairs += ["{{ (%s | %s) | list }}" % (v, f) for f in FILTERS]
        pairs += ["{{ %s is %s }}" % (v, t) for t in TESTS]
        pairs += ["{{ (%s).%s }}" % (v, m) for m in METHODS]
        pairs += ["{{ %s %s %s }}" % (v, o, w) for o in OPERATORS for w in VALUES]
    random.Random(1).shuffle(pairs)
    yield from pairs[:3000]


def main():
    env = environment()
    cases = []
    for t in templates(sys.stdin.read().rstrip("\n").split("\n----\n")):
        try:
            made = [t, env.from_string(t).render(**copy.deepcopy(VARIABLES))]
        except Exception:  # whatever it is, the template fails
            made = [t]
        unstable = "lipsum|random|TemplateReference| at 0x|class '|\\\\N{|%#Z|self.a"
        is_wide = "pprint" in t and len(made[-1]) > 80  # refused: Python would make lines of it
        if not is_wide and not re.search(unstable, made[0] + made[-1]):
            cases.append(made)
    print('{"variables": %s,\n"cases": [' % json.dumps(VARIABLES))
    print(",\n".join(json.dumps(c) for c in cases))
    print("]}")


main()
