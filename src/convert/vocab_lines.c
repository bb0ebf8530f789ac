/* vocab_lines.c - see vocab_forms.h: vocabularies that are a line for each token, PLaMo's
 * tokenizer.jsonl and RWKV World's rwkv_vocab_*.txt.
 * Sources: tokenization_plamo.py, rwkv_tokenizer.py of the models. */
#include "base/err.h"
#include "base/utf8.h"
#include "convert/vocab_forms.h"
#include "text/digit.h"
#include <inttypes.h>
#include <string.h>

/* The next line that is not empty, without its end; false: there is none. *n_line counts. */
static bool next_line(const char **at, const char *end, gguf_str *line, size_t *n_line)
{
    while (*at < end) {
        const char *stop = memchr(*at, '\n', (size_t)(end - *at));
        if (!stop) stop = end;
        *line = (gguf_str){ *at, (size_t)(stop - *at) };
        if (line->n && line->s[line->n - 1] == '\r') line->n--;
        *at = stop < end ? stop + 1 : end;
        ++*n_line;
        if (line->n) return true;
    }
    return false;
}

/* ---- PLaMo ----------------------------------------------------------------------------------- */

static token_type plamo_type(const json *name, gguf_str text)
{
    static const char start[] = "<|plamo:";
    size_t n = sizeof start - 1;
    if (json_str_is(name, "UNKNOWN")) return TOKEN_UNKNOWN;
    if (json_str_is(name, "CONTROL")) return TOKEN_CONTROL;
    if (json_str_is(name, "BYTE")) return TOKEN_BYTE;
    bool is_marked = text.n > n + 2 && memcmp(text.s, start, n) == 0
                     && memcmp(text.s + text.n - 2, "|>", 2) == 0;
    return is_marked ? TOKEN_CONTROL : TOKEN_NORMAL;
}

/* ["text", score, "TYPE", ..] */
static bool put_plamo(hf_vocab *v, int64_t id, const json *list, lory_err *err)
{
    gguf_str text;
    double score;
    const json *j = list->type == JSON_ARRAY ? list->first : NULL;
    if (!j || !json_get_str(j, &text.s, &text.n) || !json_get_num(j->next, &score))
        return err_set(err, LORY_E_FORMAT, "is no list of a text, a score and a type");
    return hf_vocab_set(v, id, text, plamo_type(j->next->next, text), (float)score, err);
}

/* "<|plamo:op|>", which ends a turn, is token 4 of all of them. */
bool read_plamo_lines(hf_vocab *v, const buf *bytes, const char *path, lory_err *err)
{
    const char *at = bytes->data ? bytes->data : "", *end = at + bytes->len;
    gguf_str line;
    size_t n_line = 0;
    for (int64_t id = 0; next_line(&at, end, &line, &n_line); id++) {
        json_doc d;
        lory_err why = { 0 };
        if (!json_read(&d, line.s, line.n, path, err)) return false;
        bool ok = put_plamo(v, id, d.root, &why);
        json_close(&d);
        if (!ok) return err_set(err, why.code, "%s: line %zu %s", path, n_line, why.text);
    }
    v->model = "plamo2";
    v->pre = "default";
    v->has_scores = true;
    v->add_space_prefix = 0;
    if (v->n > 4) v->ids[HF_EOT] = 4;
    return true;
}

/* ---- RWKV World ------------------------------------------------------------------------------ */

/* n hexadecimal digits at s, up to 8; -1: they are not all that. */
static int64_t hex_of(const char *s, int n)
{
    int64_t value = 0;
    for (int i = 0; i < n; i++) {
        if (digit_value(s[i]) >= 16) return -1;
        value = 16 * value + digit_value(s[i]);
    }
    return value;
}

/* The escape behind a backslash at s, of the n bytes that are left; its length, 0: it is none. */
static size_t put_escape(const char *s, size_t n, bool is_bytes, buf *out)
{
    static const char names[] = "ntr\\'\"", values[] = "\n\t\r\\'\"";
    const char *p = n && *s ? strchr(names, *s) : NULL;
    size_t n_digit = n && *s == 'x' ? 2 : n && *s == 'u' ? 4 : n && *s == 'U' ? 8 : 0;
    char coded[UTF8_MAX_BYTES];
    if (p) {
        buf_putc(out, values[p - names]);
        return 1;
    }
    if (n_digit == 0 || n < 1 + n_digit || (is_bytes && n_digit > 2)) return 0;
    int64_t value = hex_of(s + 1, (int)n_digit);
    if (value < 0 || value > 0x10ffff) return 0;
    if (is_bytes) buf_putc(out, (char)value);
    else buf_put(out, coded, utf8_encode((uint32_t)value, coded));
    return 1 + n_digit;
}

/* What a text or bytes of Python mean, 'x' or b"x"; false: it is neither. */
static bool read_literal(gguf_str s, buf *out)
{
    bool is_bytes = s.n && s.s[0] == 'b';
    size_t i = is_bytes, len;
    out->len = 0;
    if (s.n < i + 2 || (s.s[i] != '\'' && s.s[i] != '"') || s.s[s.n - 1] != s.s[i]) return false;
    for (i++; i + 1 < s.n; i += len) {
        len = 1;
        if (s.s[i] != '\\') {
            buf_putc(out, s.s[i]);
            continue;
        }
        if ((len = put_escape(s.s + i + 1, s.n - i - 2, is_bytes, out)) == 0) return false;
        len++;
    }
    return !out->failed;
}

/* As Python writes these bytes, without the quotes: so files have them. */
static void write_bytes(const buf *bytes, buf *out)
{
    static const char names[] = "ntr\\", values[] = "\n\t\r\\";
    bool has_both = memchr(bytes->data, '\'', bytes->len) && memchr(bytes->data, '"', bytes->len);
    out->len = 0;
    for (size_t i = 0; i < bytes->len; i++) {
        unsigned char c = (unsigned char)bytes->data[i];
        const char *p = c ? strchr(values, c) : NULL;
        if (p) buf_printf(out, "\\%c", names[p - values]);
        else if (c == '\'' && has_both) buf_puts(out, "\\'");
        else if (c >= ' ' && c < 0x7f) buf_putc(out, (char)c);
        else buf_printf(out, "\\x%02x", c);
    }
}

static bool take_uint(const char **s, const char *end, int64_t *value)
{
    const char *first = *s;
    *value = 0;
    for (; *s < end && **s >= '0' && **s <= '9' && *s - first < 9; ++*s)
        *value = *value * 10 + (**s - '0');
    return *s > first;
}

/* "ID LITERAL LENGTH" */
static bool put_rwkv(hf_vocab *v, gguf_str line, buf *bytes, buf *text, lory_err *err)
{
    const char *at = line.s, *end = line.s + line.n, *last = end;
    int64_t id, n_bytes;
    while (last > at && last[-1] != ' ') last--;
    const char *literal_end = last - 1;
    bool ok = take_uint(&at, end, &id) && at < end && *at == ' ' && literal_end > at
              && take_uint(&last, end, &n_bytes) && last == end
              && read_literal((gguf_str){ at + 1, (size_t)(literal_end - at - 1) }, bytes)
              && bytes->len == (size_t)n_bytes && n_bytes > 0;
    if (!ok) return err_set(err, LORY_E_FORMAT, "is no id, text and length");
    write_bytes(bytes, text);
    return !text->failed ? hf_vocab_set(v, id, (gguf_str){ text->data, text->len }, TOKEN_NORMAL,
                                        0.0f, err)
                         : hf_vocab_no_memory(v, err);
}

/* Token 0 begins and ends a text; an empty line, 261, ends a turn. */
bool read_rwkv_lines(hf_vocab *v, const buf *lines, const char *path, lory_err *err)
{
    enum { EMPTY_LINE = 261 };
    const char *at = lines->data ? lines->data : "", *end = at + lines->len;
    buf bytes = { 0 }, text = { 0 };
    gguf_str line;
    size_t n_line = 0;
    bool ok = hf_vocab_set(v, 0, (gguf_str){ "<s>", 3 }, TOKEN_CONTROL, 0.0f, err);
    while (ok && next_line(&at, end, &line, &n_line)) {
        lory_err why = { 0 };
        ok = put_rwkv(v, line, &bytes, &text, &why);
        if (!ok) err_set(err, why.code, "%s: line %zu %s", path, n_line, why.text);
    }
    buf_free(&bytes);
    buf_free(&text);
    v->model = "rwkv";
    v->pre = "default";
    v->ids[HF_BOS] = v->ids[HF_EOS] = 0;
    if (v->n > EMPTY_LINE) v->ids[HF_EOT] = EMPTY_LINE;
    return ok;
}
