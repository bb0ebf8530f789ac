/* test_jinja.c - chat templates against Python's jinja2: small cases written here, and every case
 * of ../shared/templates where that is there. */
#include "base/file.h"
#include "base/mem.h"
#include "chat/chat.h"
#include "test.h"
#include "text/json.h"
#include <stdlib.h>

enum { CLOCK = 1721995200 }; /* 2024-07-26 12:00:00 UTC, the moment of the reference cases */

/* What the template gives over the JSON object `vars`, or "ERROR: " and the message. Owned by the
 * caller; free. */
static char *render_json(const char *template, size_t n, const json *vars)
{
    lory_err err = { 0 };
    jinja_output out = { 0 };
    jinja_input in = { .vars = vars, .now = CLOCK };
    jinja *t = jinja_parse(template, n, "t", &err);
    char *text;
    if (t && jinja_render(t, &in, &out, &err)) {
        text = malloc(out.text.len + 1);
        memcpy(text, out.text.data ? out.text.data : "", out.text.len);
        text[out.text.len] = '\0';
    } else {
        text = malloc(sizeof err.text + 8);
        snprintf(text, sizeof err.text + 8, "ERROR: %s", err.text);
    }
    jinja_output_free(&out);
    jinja_free(t);
    return text;
}

/* The same by chat_render, which knows what is no variable. */
static char *render_chat(const char *template, size_t n, const json *vars)
{
    lory_err err = { 0 };
    jinja_output out;
    chat_template t = { .name = "t", .text = template, .n = n, .now = CLOCK };
    char *text = NULL;
    if (!chat_render(&t, vars, &out, &err)) {
        text = malloc(sizeof err.text + 8);
        snprintf(text, sizeof err.text + 8, "ERROR: %s", err.text);
        return text;
    }
    text = malloc(out.text.len + 1);
    memcpy(text, out.text.len ? out.text.data : "", out.text.len);
    text[out.text.len] = '\0';
    jinja_output_free(&out);
    return text;
}

/* ---- the reference cases of ../shared ------------------------------------------------------ */

typedef struct {
    size_t n, n_passed;
} score;

static const char *const refused = "ERROR: ";

static bool is_error(const char *text)
{
    return strncmp(text, refused, strlen(refused)) == 0;
}

/* The whole message where the template itself raised it, else that there is one. */
static bool fails_alike(const char *got, const json *error)
{
    const char *message;
    size_t n;
    if (!is_error(got)) return false;
    if (!json_str_is(json_get(error, "type"), "TemplateError")) return true;
    return json_get_str(json_get(error, "message"), &message, &n) && strlen(got) >= n + 10
           && strncmp(got + strlen(refused), "t: ", 3) == 0
           && strncmp(got + strlen(refused) + 3, message, n) == 0;
}

static void check_case(score *s, const char *name, const char *got, const json *c)
{
    const char *want;
    size_t n;
    bool ok = json_get_str(json_get(c, "expected"), &want, &n)
                  ? strlen(got) == n && memcmp(got, want, n) == 0
                  : fails_alike(got, json_get(c, "error"));
    s->n++;
    s->n_passed += ok;
    if (ok) return;
    bool has_text = json_get_str(json_get(c, "expected"), &want, &n)
                    || json_get_str(json_get(json_get(c, "error"), "message"), &want, &n);
    size_t at = 0;
    while (has_text && got[at] && at < n && got[at] == want[at]) at++;
    at = at > 40 ? at - 40 : 0;
    test_fail(__FILE__, __LINE__, "%s: got \"%.120s\", want \"%.120s\"", name,
              got + (is_error(got) ? 0 : at), has_text ? want + at : "?");
}

static void put_member(json_writer *w, const json *from, const char *key)
{
    const json *v = json_get(from, key);
    if (!v) return;
    json_put_key(w, key);
    json_put_value(w, v);
}

/* The variables of a chat case, as Hugging Face passes them. */
static void put_variables(json_writer *w, const json *file, const json *c)
{
    const json *extra = json_get(c, "extra");
    json_begin_object(w);
    put_member(w, c, "messages");
    put_member(w, c, "add_generation_prompt");
    put_member(w, c, "continue_final_message");
    json_put_key(w, "tools");
    if (json_get(c, "tools"))
        json_put_value(w, json_get(c, "tools"));
    else
        json_put_null(w);
    if (!json_get(extra, "documents")) {
        json_put_key(w, "documents");
        json_put_null(w);
    }
    for (const json *m = file->first; m; m = m->next)
        if (strstr(m->key, "_token") && m->type == JSON_STRING) put_member(w, file, m->key);
    for (const json *m = extra ? extra->first : NULL; m; m = m->next) put_member(w, extra, m->key);
    json_end_object(w);
}

static void run_chat_case(score *s, const char *path, const json *file, const json *c)
{
    buf b = { 0 };
    json_writer w = { &b, false };
    json_doc vars;
    const char *template;
    char name[300];
    size_t n;
    put_variables(&w, file, c);
    REQUIRE(json_read(&vars, b.data, b.len, "vars", NULL));
    REQUIRE(json_get_str(json_get(file, "template"), &template, &n));
    char *got = render_chat(template, n, vars.root);
    const json *id = json_get(c, "id");
    snprintf(name, sizeof name, "%s %s", path, id && id->str ? id->str : "?");
    check_case(s, name, got, c);
    free(got);
    json_close(&vars);
    buf_free(&b);
}

static bool read_json(json_doc *d, const char *path)
{
    buf b = { 0 };
    lory_err err;
    bool ok = file_read(path, SIZE_MAX, &b, &err) && json_read(d, b.data, b.len, path, &err);
    buf_free(&b);
    return ok;
}

TEST(every_reference_chat_gives_the_same_bytes)
{
    json_doc index, file;
    score s = { 0 };
    char path[512], name[256];
    const char *index_path = test_shared("templates/chat_index.json");
    if (!index_path) test_skip("../shared is not there");
    REQUIRE(read_json(&index, index_path));
    size_t i = 0, stride = (size_t)test_stride(20);
    for (const json *e = index.root->first; e; e = e->next, i++) {
        const char *file_name = e->key;
        size_t n;
        if (!file_name && !json_get_str(json_get(e, "file"), &file_name, &n)) continue;
        snprintf(name, sizeof name, "templates/%.200s", file_name);
        if (i % stride || !test_shared(name)) continue;
        snprintf(path, sizeof path, "%s", test_shared(name));
        REQUIRE(read_json(&file, path), "%s", path);
        for (const json *c = json_get(file.root, "cases")->first; c; c = c->next)
            run_chat_case(&s, file_name, file.root, c);
        json_close(&file);
    }
    json_close(&index);
    CHECK(s.n > 0 && s.n_passed == s.n, "%zu of %zu", s.n_passed, s.n);
}

/* Small templates over values of every kind: [template, text], or [template] where Python raises.
 * */
TEST(snippets_give_what_python_gives)
{
    json_doc d;
    size_t n_same = 0, n = 0;
    const char *path = test_vector("jinja/cases.json");
    REQUIRE(path && read_json(&d, path));
    for (const json *c = json_get(d.root, "cases")->first; c; c = c->next, n++) {
        const json *template = c->first, *want = template->next;
        char *got = render_json(template->str, template->n, json_get(d.root, "variables"));
        bool is_same = want ? strlen(got) == want->n && memcmp(got, want->str, want->n) == 0
                            : is_error(got);
        CHECK(is_same, "%s: got \"%.120s\", want \"%.120s\"", template->str, got,
              want ? want->str : "an error");
        n_same += is_same;
        free(got);
    }
    CHECK(n > 2000 && n_same == n, "%zu of %zu", n_same, n);
    json_close(&d);
}

TEST(every_reference_snippet_gives_the_same_bytes)
{
    json_doc d;
    score s = { 0 };
    const char *path = test_shared("templates/jinja_micro.json");
    if (!path) test_skip("../shared is not there");
    REQUIRE(read_json(&d, path));
    for (const json *c = d.root->first; c; c = c->next) {
        const char *template;
        size_t n;
        REQUIRE(json_get_str(json_get(c, "template"), &template, &n));
        char *got = render_json(template, n, json_get(c, "context"));
        check_case(&s, template, got, c);
        free(got);
    }
    CHECK(s.n_passed == s.n, "%zu of %zu", s.n_passed, s.n);
    json_close(&d);
}

/* ---- small cases ---------------------------------------------------------------------------- */

typedef struct {
    const char *template, *want;
} snippet;

static void check_snippets(const snippet *c, size_t n, const char *vars)
{
    json_doc d;
    REQUIRE(json_read(&d, vars, strlen(vars), "vars", NULL));
    for (size_t i = 0; i < n; i++) {
        char *got = render_json(c[i].template, strlen(c[i].template), d.root);
        CHECK(strcmp(got, c[i].want) == 0, "%s: got \"%s\", want \"%s\"", c[i].template, got,
              c[i].want);
        free(got);
    }
    json_close(&d);
}

#define CHECK_SNIPPETS(cases, vars) check_snippets(cases, sizeof cases / sizeof cases[0], vars)

TEST(blanks_around_tags_go_as_chat_templates_expect)
{
    static const snippet cases[] = {
        { "a\n  {% if true %}\nb\n  {% endif %}\nc\n", "a\nb\nc" },
        { "a {%- if true -%} b {%- endif %} c", "ab c" },
        { "  {%+ if true %}x{% endif +%}\ny", "  x\ny" },
        { "a\r\nb\r\n", "a\nb" },
        { "a {#- c -#} b{# d #}\nc", "abc" },
        { "{% raw %}{{ x }}{% endraw %}", "{{ x }}" },
    };
    CHECK_SNIPPETS(cases, "{}");
}

TEST(names_mean_what_jinja2_compiles_them_to)
{
    static const snippet cases[] = {
        { "{% set x = 1 %}{% for i in l %}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "3121" },
        { "{% for i in l %}{{ s }}{% endfor %}{% set s = 1 %}", "" },
        { "{% if false %}{% set s = 1 %}{% endif %}{{ s }}", "text" },
        { "{% macro f() %}{{ s }}{% endmacro %}{% set s = 2 %}{{ f() }}", "2" },
        { "{% set ns = namespace(n=0) %}{% for i in l %}{% set ns.n = ns.n + i %}{% endfor %}{{ "
          "ns.n }}",
          "6" },
        { "{% for i in l if i > 1 %}{{ loop.index }}{{ loop.last }}{% endfor %}", "1False2True" },
        { "{% for i in l %}{% continue %}{% else %}E{% endfor %}", "E" },
        { "{% for i in [[1, [2]], 3] recursive %}{{ loop(i) if i is iterable else i }}{% endfor %}",
          "123" },
    };
    CHECK_SNIPPETS(cases, "{\"l\": [3, 1, 2], \"s\": \"text\"}");
}

TEST(values_print_as_in_python)
{
    static const snippet cases[] = {
        { "{{ [1.0, 1e16, 1e-5, 0.1, true, none, 'it\\'s', \"\\n\"] }}",
          "[1.0, 1e+16, 1e-05, 0.1, True, None, \"it's\", '\\n']" },
        { "{{ 7 // -2 }} {{ -7 % 3 }} {{ 2 ** 3 ** 2 }} {{ 10 / 4 }}", "-4 2 64 2.5" },
        { "{{ 'stra\xC3\x9F"
          "e'|upper }} {{ '\xCE\x91\xCE\xA3'|lower }}",
          "STRASSE \xCE\xB1\xCF\x82" },
        { "{{ {'a': [1, none], 'b': {}}|tojson(indent=1) }}",
          "{\n \"a\": [\n  1,\n  null\n ],\n \"b\": {}\n}" },
        { "{{ '%05.1f|%-4d|%s' % (2.25, 3, [1]) }}", "002.2|3   |[1]" },
        { "{{ '{:>5}|{0!r}'.format(1) if false else '{:>5}'.format('a') }}", "    a" },
        { "{{ ('<a>'|safe) + '<b>' }}", "<a>&lt;b&gt;" },
        { "{{ strftime_now('%d %b %Y %H:%M') }}", "26 Jul 2024 12:00" },
        { "{{ strftime_now('%^c|%^x %^r|%_c') }}",
          "FRI JUL 26 12:00:00 2024|07/26/24 12:00:00 PM|Fri Jul 26 12:00:00 2024" },
        { "{{ strftime_now('%^a %^B %^p %^P %P') }}", "FRI JULY PM pm pm" },
        { "{{ strftime_now('%Q %-J|%\xC3\xA9|%-d%') }}", "%Q %-J|%\xC3\xA9|26%" },
        { "{{ '\\q\\\xC3\xA9\\\xE2\x80\x94\\\xF0\x9F\x98\x80' }}",
          "\\q\\xe9\\u2014\\U0001f600" },
        { "{{ 12345678901234567890123 }}", "12345678901234567890123" },
    };
    CHECK_SNIPPETS(cases, "{}");
}

/* What CPython 3.11 gives. */
TEST(methods_of_texts_give_what_python_gives)
{
    static const snippet cases[] = {
        { "{{ 'aBc \xc3\x89'.swapcase() }}", "AbC \xc3\xa9" },
        { "{{ 'abc\xc3\xa9'.isalpha() }}", "True" },
        { "{{ 'ab1'.isalpha() }}", "False" },
        { "{{ ''.isalpha() }}", "False" },
        { "{{ 'abc'.isascii() }}", "True" },
        { "{{ ''.isascii() }}", "True" },
        { "{{ '\xc3\xa9'.isascii() }}", "False" },
        { "{{ '\xc2\xbd\xc2\xb2" "3'.isnumeric() }}", "True" },
        { "{{ '3a'.isnumeric() }}", "False" },
        { "{{ '\xd9\xa3" "4'.isdecimal() }}", "True" },
        { "{{ '\xc2\xb2'.isdecimal() }}", "False" },
        { "{{ '\xc2\xb2" "4'.isdigit() }}", "True" },
        { "{{ '\xc2\xbd'.isdigit() }}", "False" },
        { "{{ 'a b'.isprintable() }}", "True" },
        { "{{ 'a\\n'.isprintable() }}", "False" },
        { "{{ 'A1 \xc3\x89'.isupper() }}", "True" },
        { "{{ 'A1 \xc3\xa9'.isupper() }}", "False" },
        { "{{ 'Ab Cd1E'.istitle() }}", "True" },
        { "{{ 'Ab cD'.istitle() }}", "False" },
        { "{{ '12'.istitle() }}", "False" },
        { "{{ '  x '.rstrip() }}", "  x" },
        { "{{ 'xyyx'.rstrip('xy') }}", "" },
        { "{{ '\xc3\xa9x\xc3\xa9'.rstrip('\xc3\xa9') }}", "\xc3\xa9x" },
        { "{{ 'abcb'.removesuffix('b') }}", "abc" },
        { "{{ 'abcb'.removesuffix('c') }}", "abcb" },
        { "{{ 'ab'.ljust(5) }}", "ab   " },
        { "{{ 'ab'.ljust(5, '\xc3\xa9') }}", "ab\xc3\xa9\xc3\xa9\xc3\xa9" },
        { "{{ 'ab'.rjust(1) }}", "ab" },
        { "{{ '\xc3\xa9" "a\xc3\xa9" "a'.rfind('a') }}", "3" },
        { "{{ '\xc3\xa9" "a\xc3\xa9" "a'.rfind('a', 0, 3) }}", "1" },
        { "{{ '\xc3\xa9" "a\xc3\xa9" "a'.rfind('x') }}", "-1" },
        { "{{ '\xc3\xa9" "a\xc3\xa9" "a'.find('\xc3\xa9', 1) }}", "2" },
        { "{{ '\xc3\xa9" "ab'.count('') }}", "4" },
        { "{{ 'abc'.count('') }}", "4" },
        { "{{ 'a\\nb\\r\\nc\\n'.splitlines() }}", "['a', 'b', 'c']" },
        { "{{ 'a\\nb\\r\\nc\\n'.splitlines(true) }}", "['a\\n', 'b\\r\\n', 'c\\n']" },
    };
    CHECK_SNIPPETS(cases, "{}");
}

/* What Jinja2 3.1 on CPython 3.11 gives. */
TEST(dictionaries_ranges_and_numbers_have_the_attributes_of_python)
{
    static const snippet cases[] = {
        { "{{ {'a': 1}.copy() }}", "{'a': 1}" },
        { "{{ {'a': 1}.fromkeys([1, 2], 3) }}", "{1: 3, 2: 3}" },
        { "{{ {}.fromkeys('ab') }}", "{'a': None, 'b': None}" },
        { "{{ range(2, 9, 3).start }}", "2" },
        { "{{ range(2, 9, 3).stop }}", "9" },
        { "{{ range(2, 9, 3).step }}", "3" },
        { "{{ range(10)[2:8:3]|list }}", "[2, 5]" },
        { "{{ range(10)[::-3]|list }}", "[9, 6, 3, 0]" },
        { "{{ range(0, 20, 2)[1:4] }}", "range(2, 8, 2)" },
        { "{{ range(5).count(3) }}", "1" },
        { "{{ range(5).count(7) }}", "0" },
        { "{{ (5).real }}", "5" },
        { "{{ (5).imag }}", "0" },
        { "{{ (2.5).imag }}", "0.0" },
        { "{{ true.real }}", "1" },
        { "{{ (5).denominator }}", "1" },
        { "{{ {'b': {'d': 1, 'c': [2]}, 'a': 3}|pprint }}", "{'a': 3, 'b': {'c': [2], 'd': 1}}" },
        { "{{ [{'b': 1, 'a': 2}]|pprint }}", "[{'a': 2, 'b': 1}]" },
        { "{{ 'a-b c'|wordwrap(2) }}", "a-\nb\nc" },
        { "{{ 'abc'.rindex('c') }}", "2" },
    };
    CHECK_SNIPPETS(cases, "{}");
}

TEST(formatting_gives_what_python_gives)
{
    static const snippet cases[] = {
        { "{{ '{a}-{b[0]}'.format_map({'a': 1, 'b': [2]}) }}", "1-2" },
        { "{{ '%c%c' % ('\xc3\xa9', 65) }}", "\xc3\xa9" "A" },
        { "{{ '%5c|' % 'x' }}", "    x|" },
        { "{{ '%*d|' % (6, 42) }}", "    42|" },
        { "{{ '%-*d|' % (6, 42) }}", "42    |" },
        { "{{ '%+d % d %+d' % (5, 5, -5) }}", "+5  5 -5" },
        { "{{ '%#x %#o %#X' % (255, 8, 255) }}", "0xff 0o10 0XFF" },
        { "{{ '%.5d %.3x' % (42, 10) }}", "00042 00a" },
        { "{{ '%05d %-5d|' % (42, 42) }}", "00042 42   |" },
        { "{{ '%5.1f %e %g' % (3.14159, 12345.678, 0.0001) }}", "  3.1 1.234568e+04 0.0001" },
        { "{{ '%F' % 1.5 }}", "1.500000" },
        { "{{ '%%'  % () }}", "%" },
        { "{{ '{:,} {:_}'.format(1234567, 1234567) }}", "1,234,567 1_234_567" },
        { "{{ '{:,.2f} {:_x}'.format(1234567.891, 1234567890) }}", "1,234,567.89 4996_02d2" },
        { "{{ '{:+.1f} {: .1f} {:+}'.format(2.25, 2.25, -3) }}", "+2.2  2.2 -3" },
        { "{{ '{:08.3f}|{:<8}|{:^8}|{:*>8}'.format(3.14159, 1.5, 'x', 'y') }}",
          "0003.142|1.5     |   x    |*******y" },
        { "{{ '{:\xc3\xa9^7}|{:=+7}'.format('x', 42) }}",
          "\xc3\xa9\xc3\xa9\xc3\xa9x\xc3\xa9\xc3\xa9\xc3\xa9|+    42" },
        { "{{ '{:05}|{:<05}'.format(42, 42) }}", "00042|42000" },
        { "{{ '{:e} {:g} {:%} {:.1%}'.format(1234.5, 0.00001, 0.25, 0.125) }}",
          "1.234500e+03 1e-05 25.000000% 12.5%" },
        { "{{ '{:#x} {:#o} {:#b} {:X} {:b}'.format(255, 8, 5, 255, 5) }}",
          "0xff 0o10 0b101 FF 101" },
        { "{{ '{:.2}|{:5.1}|{:s}'.format('abc', 'xyz', 'q') }}", "ab|x    |q" },
        { "{{ '{!s} {!a} {!r}'.format('\xc3\xa9', '\xc3\xa9', '\xc3\xa9') }}",
          "\xc3\xa9 '\\xe9' '\xc3\xa9'" },
        { "{{ '{:.3}'.format(1.0) }}", "1.0" },
        { "{{ '{:.3}'.format(12345.678) }}", "1.23e+04" },
        { "{{ '{:f}'.format(3) }}", "3.000000" },
        { "{{ '{:n}'.format(3) }}", "3" },
    };
    CHECK_SNIPPETS(cases, "{}");
}

/* Worded as there, with the column of the call. */
TEST(formatting_refuses_what_python_refuses)
{
    static const snippet cases[] = {
        { "{{ '%d' % 'x' }}",
          "ERROR: t: line 1, column 9: %d format: a real number is required, not str" },
        { "{{ '%x' % 1.5 }}",
          "ERROR: t: line 1, column 9: %x format: an integer is required, not float" },
        { "{{ '%f' % 'x' }}", "ERROR: t: line 1, column 9: must be real number, not str" },
        { "{{ '%d %d' % (1,) }}",
          "ERROR: t: line 1, column 12: not enough arguments for format string" },
        { "{{ '%c' % 'ab' }}", "ERROR: t: line 1, column 9: %c requires int or char" },
        { "{{ '%c' % 1114112 }}", "ERROR: t: line 1, column 9: %c arg not in range(0x110000)" },
        { "{{ '%q' % 1 }}",
          "ERROR: t: line 1, column 9: unsupported format character 'q' at index 1" },
        { "{{ '%*d' % ('a', 1) }}", "ERROR: t: line 1, column 10: * wants int" },
        { "{{ '{:d}'.format('x') }}",
          "ERROR: t: line 1, column 17: Unknown format code 'd' for object of type 'str'" },
        { "{{ '{:x}'.format(1.5) }}",
          "ERROR: t: line 1, column 17: Unknown format code 'x' for object of type 'float'" },
        { "{{ '{:.}'.format(1.5) }}",
          "ERROR: t: line 1, column 17: Format specifier missing precision" },
        { "{{ '{:5}'.format([]) }}",
          "ERROR: t: line 1, column 17: unsupported format string passed to list.__format__" },
        { "{{ '{} {}'.format(1) }}",
          "ERROR: t: line 1, column 18: Replacement index 1 out of range for positional "
          "args tuple" },
        { "{{ '{!q}'.format(1) }}",
          "ERROR: t: line 1, column 17: Unknown conversion specifier 'q'" },
        { "{{ '{!sx}'.format(1) }}",
          "ERROR: t: line 1, column 18: expected ':' after conversion specifier" },
        { "{{ '{0[0]x}'.format([1]) }}",
          "ERROR: t: line 1, column 20: Only '.' or '[' may follow ']' in format field specifier" },
        { "{{ 'x'.center(9, 'ab') }}",
          "ERROR: t: line 1, column 14: The fill character must be exactly one character long" },
        { "{{ 'ab'.startswith(1) }}",
          "ERROR: t: line 1, column 19: startswith first arg must be str or a tuple of "
          "str, not int" },
        { "{{ '{:.99999999999999999999}'.format(1.5) }}",
          "ERROR: t: line 1, column 37: Too many decimal digits in format string" },
    };
    CHECK_SNIPPETS(cases, "{}");
}

TEST(what_goes_wrong_is_told_with_line_and_column)
{
    static const snippet cases[] = {
        { "{{ dict(x.y) }}", "ERROR: t: line 1, column 8: 'dict object' has no attribute 'y'" },
        { "a\n {{ x.y.z }}", "ERROR: t: line 2, column 8: 'dict object' has no attribute 'y'" },
        { "{{ 'a' + 1 }}",
          "ERROR: t: line 1, column 8: can only concatenate str (not \"int\") to str" },
        { "{{ raise_exception('Not like this!') }}", "ERROR: t: Not like this!" },
        { "{% frob %}", "ERROR: t: line 1, column 4: unknown tag 'frob'" },
        { "{{ 1|frob }}", "ERROR: t: line 1, column 6: No filter named 'frob'" },
        { "{{ l.append(1) }}",
          "ERROR: t: line 1, column 12: access to attribute 'append' of 'list' object is unsafe." },
        { "{% if x %}", "ERROR: t: line 1, column 11: the template ends inside a block that waits "
                        "for {% elif %}" },
        { "{% include 'x' %}",
          "ERROR: t: line 1, column 4: no other template can be read from here" },
        { "{{ 9223372036854775808 / 3 }}",
          "ERROR: t: line 1, column 24: division of integers beyond 64 bits is not "
          "supported" },
    };
    CHECK_SNIPPETS(cases, "{\"x\": {\"a\": 1}, \"l\": []}");
}

TEST(a_long_name_is_shown_up_to_a_whole_character)
{
#define SHOWN "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" /* 59 bytes */
    static const snippet cases[] = {
        { "{% " SHOWN "\u00e9\u00e9 %}", "ERROR: t: line 1, column 4: unknown tag '" SHOWN "'" },
        { "{{ 1|" SHOWN "\u00e9\u00e9 }}",
          "ERROR: t: line 1, column 6: No filter named '" SHOWN "'" },
    };
#undef SHOWN
    CHECK_SNIPPETS(cases, "{}");
}

TEST(no_template_hangs_or_takes_all_memory)
{
    static const char *const bombs[] = {
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% "
        "endfor %}",
        "{{ 'x' * 9999999999 }}",
        "{{ '%999999999d' % 1 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set ns = namespace(l=[]) %}{% for i in range(90) %}{% set ns.l = [ns.l, ns.l] %}{% "
        "endfor %}{{ ns.l }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(90) %}{% set ns.l = ns.l + ns.l %}{% "
        "endfor %}",
        "{{ range(0, 99999999) }}",
        "{{ ' '|center(99999999999) }}",
        "{{ 'aaaa'|replace('', 'b' * 60000000) }}",
    };
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        char *got = render_json(bombs[i], strlen(bombs[i]), NULL);
        CHECK(is_error(got), "%s", bombs[i]);
        free(got);
    }
}

/* Not after the 50 million steps that making them would take. */
TEST(a_text_of_a_width_beyond_bounds_is_refused_at_once)
{
    static const snippet cases[] = {
        { "{{ 'x'|center(9999999999999) }}",
          "ERROR: t: line 1, column 8: a text grows too long (more than 67108864 bytes)" },
        { "{{ 'x'.ljust(67108865) }}",
          "ERROR: t: line 1, column 13: a text grows too long (more than 67108864 bytes)" },
        { "{{ 'x'|indent(9999999999999, true) }}",
          "ERROR: t: line 1, column 8: a text grows too long (more than 67108864 bytes)" },
        { "{{ 'ab' * 33554433 }}",
          "ERROR: t: line 1, column 9: a text grows too long (more than 67108864 bytes)" },
        { "{{ [1, 2] * 33554433 }}",
          "ERROR: t: line 1, column 11: a list grows too long (more than 67108864 items)" },
        { "{{ ('x'|center(1000000))|length }}", "1000000" },
        { "{{ ('ab' * 3, 'ab' * -1, [1, 2] * -1, [] * 9999999999999) }}",
          "('ababab', '', [], [])" },
    };
    CHECK_SNIPPETS(cases, "{}");
}

/* Brackets and blocks nested n times. */
TEST(nested_templates_end_in_an_error)
{
    static const char *const parts[] = { "{{ ((((((((", "{% if x %}", "{% for a in b %}",
                                         "{{ [[[[[[[[", "{{ not not not not " };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        buf b = { 0 };
        for (int k = 0; k < 20000; k++) buf_puts(&b, parts[i]);
        char *got = render_json(b.data, b.len, NULL);
        CHECK(is_error(got), "%s", parts[i]);
        free(got);
        buf_free(&b);
    }
}

/* The rendered text with what is plain between << and >>. */
static char *mark_plain(const char *template, const char *vars)
{
    json_doc d;
    jinja_output out = { 0 };
    lory_err err = { 0 };
    buf b = { 0 };
    size_t at = 0;
    chat_template t = { .name = "t", .text = template, .n = strlen(template), .bos_token = "<s>" };
    if (!json_read(&d, vars, strlen(vars), "vars", &err) || !chat_render(&t, d.root, &out, &err))
        buf_puts(&b, err.text);
    for (size_t i = 0; i < out.n_plain; i++) {
        buf_put(&b, out.text.data + at, out.plain[i].start - at);
        buf_printf(&b, "<<%.*s>>", (int)(out.plain[i].end - out.plain[i].start),
                   out.text.data + out.plain[i].start);
        at = out.plain[i].end;
    }
    buf_put(&b, out.text.len ? out.text.data + at : "", out.text.len - at);
    jinja_output_free(&out);
    json_close(&d);
    return b.data;
}

TEST(text_of_the_context_is_told_apart_from_the_template)
{
    static const char vars[] = "{\"messages\": [{\"role\": \"user\", \"content\": \" <|end|> \"},"
                               "{\"role\": \"x|><|end|>\", \"content\": \"b\"}]}";
    static const snippet cases[] = {
        { "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content|trim }}<|end|>{% "
          "endfor %}",
          "<s><|user|><<<|end|>>><|end|><|<<x|><|end|>>>|><<b>><|end|>" },
        { "{{ '[' + messages[0].content.strip()|upper ~ ']' }}", "[<<<|END|>>>]" },
        { "{% set x %}a{{ messages[1].content }}{% endset %}{{ x|replace('a', '<|end|>') }}",
          "<|end|><<b>>" },
        { "{{ messages[1].content|replace('b', messages[0].content) }}", "<< <|end|> >>" },
        { "{{ 'x%sy' % messages[1].content }}{{ 'x{}y'.format(messages[1].content) }}",
          "x<<b>>yx<<b>>y" },
        { "{{ messages[1].content|tojson }}", "<<\"b\">>" },
        { "{{ messages[0].keys()|join('-') }}", "<<role>>-<<content>>" },
        { "{{ 'abc'.split('b')|join(messages[1].content) }}{{ messages|length }}", "a<<b>>c2" },
        { "{% set ns = namespace(s='') %}{% for m in messages %}{% set ns.s = ns.s + '|' + "
          "m.content %}{% endfor %}{{ ns.s }}",
          "|<< <|end|> >>|<<b>>" },
        { "{{ tools }}{{ add_generation_prompt }}", "NoneFalse" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *got = mark_plain(cases[i].template, vars);
        CHECK(strcmp(got, cases[i].want) == 0, "%s: got \"%s\", want \"%s\"", cases[i].template,
              got, cases[i].want);
        mem_free(got);
    }
}

TEST(a_rendering_survives_every_failing_allocation)
{
    static const char template[] =
        "{% for m in messages %}{{ (m.c ~ 'x')|upper }}{{ m|tojson }}{% endfor %}";
    json_doc d;
    static const char vars[] = "{\"messages\": [{\"c\": \"a\"}]}";
    REQUIRE(json_read(&d, vars, strlen(vars), "vars", NULL));
    size_t live = mem_live_bytes();
    for (uint64_t n = 1; n < 60; n++) {
        mem_fail_at(n);
        char *got = render_json(template, strlen(template), d.root);
        mem_fail_at(0);
        CHECK(mem_live_bytes() == live, "allocation %u: %zu bytes leaked", (unsigned)n,
              mem_live_bytes() - live);
        free(got);
    }
    json_close(&d);
}

TEST(a_final_message_is_continued_as_hugging_face_does)
{
    static const struct {
        const char *template, *vars, *want;
    } c[] = {
        { "<{{ messages[-1].content }}>", "{\"messages\": [{\"content\": \"a b \"}]}", "<a b " },
        { "<{{ messages[-1].content | trim }}>", "{\"messages\": [{\"content\": \"a b \\u3000\"}]}",
          "<a b" },
        { "{% for m in messages %}{{ m.content }};{% endfor %}",
          "{\"messages\": [{\"content\": \"a\"}, {\"content\": \"\"}]}", "a;" },
        { "{{ messages[0].content[1].text }}",
          "{\"messages\": [{\"content\": [{\"text\": \"x\"}, {\"text\": \"y\"}, {\"image\": 1}]}]}",
          "y" },
        { "{{ continue_final_message is defined }}{{ messages[-1].content }}",
          "{\"messages\": [{\"content\": \"a\"}]}", "Falsea" },
        { "x", "{\"messages\": [{\"content\": \"a\"}]}",
          "ERROR: t: continue_final_message is set but the final message does not appear in the "
          "chat after applying the chat template! This can happen if the chat template deletes "
          "portions of the final message. Please verify the chat template and final message in "
          "your chat to ensure they are compatible." },
        { "x", "{\"messages\": [{\"content\": null}]}",
          "ERROR: t: continue_final_message is set but we could not find any text to continue in "
          "the final message!" },
        { "x", "{\"messages\": []}",
          "ERROR: t: continue_final_message is set but we could not find any text to continue in "
          "the final message!" },
        { "x", "{\"messages\": [{\"content\": \"a\"}], \"add_generation_prompt\": true}",
          "ERROR: t: continue_final_message and add_generation_prompt are not compatible: the one "
          "goes on with the last message, the other begins a new one" },
    };
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        buf b = { 0 };
        json_doc d;
        buf_put(&b, c[i].vars, strlen(c[i].vars) - 1);
        buf_puts(&b, ", \"continue_final_message\": true}");
        REQUIRE(json_read(&d, b.data, b.len, "vars", NULL), "%s", b.data);
        char *got = render_chat(c[i].template, strlen(c[i].template), d.root);
        CHECK_STR(got, c[i].want);
        free(got);
        json_close(&d);
        buf_free(&b);
    }
}
