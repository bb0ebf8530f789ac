/* pre_name.c - from the pre-tokenizer of a tokenizer.json to the name that GGUF has for its rule
 * (token/pretok.h has the rules).
 * Layer: convert. A new rule is a row in the table. */
#include "base/err.h"
#include "convert/json_parts.h"
#include "convert/vocab_forms.h"
#include <stdio.h>
#include <string.h>

enum { MAX_STEPS = 6, MAX_REGEX = 2048 };
enum { NFC = 1, IGNORE_MERGES = 2, ANY = 4 /* whatever of these */ };

/* clang-format off */
/* Steps that are no regular expression. */
#define BYTES  "ByteLevel"  /* with the expression of GPT-2 */
#define DIGITS "Digits"     /* each number character, or all of a run: see DIGIT_RUNS */
#define RUNS   "DigitRuns"
#define PUNCT  "Punctuation"

#define SUFFIX  "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORD    "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define SYMBOLS " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define SPACES  "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER_  "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define LOWER_  "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define LEAD    "[^\\r\\n\\p{L}\\p{N}]?"
#define GPT2    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define LLAMA3  SUFFIX "|" WORD "|\\p{N}{1,3}|" SYMBOLS "|" SPACES
#define QWEN2   SUFFIX "|" WORD "|\\p{N}|" SYMBOLS "|" SPACES
#define CL100K  "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}|" \
                " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
#define BAILING "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}|" \
                " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
#define MINICPM5 SUFFIX "|" WORD "|\\p{N}+|" SYMBOLS "|" SPACES
#define LFM25   "'(?i:[sdmt]|ll|ve|re)|" WORD "|\\p{N}{1,3}|" SYMBOLS \
                "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s" /* cuts as LLAMA3 does */
#define LINES   "MergedWithNext (?:\\r?\\n)+(?!\\r?\\n)"
#define THREES  "\\d{1,3}(?=(?:\\d{3})*\\b)"
#define QWEN35  SUFFIX "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}|" \
                " ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SPACES
#define SEED    SUFFIX "|" WORD "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" SPACES
#define EXAONE  SUFFIX "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}|" \
                " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
#define GPT4O   LEAD "[" UPPER_ "]*[" LOWER_ "]+" SUFFIX "?|" \
                LEAD "[" UPPER_ "]+[" LOWER_ "]*" SUFFIX "?|\\p{N}{1,3}|" \
                " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES
#define TEKKEN  LEAD "[" UPPER_ "]*[" LOWER_ "]+|" LEAD "[" UPPER_ "]+[" LOWER_ "]*|\\p{N}|" \
                " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES
#define BLOOM   " ?[^(\\s|[.,!?…。，、।۔،])]+"
#define BLOOM_  " ?[^(\\s|.,!?…。，、।۔،)]+"
#define CJK     "[一-龥\u3040-ゟ゠-ヿ]+"
#define DEEPSEEK3 "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|" \
                "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES
#define DS_NEWLINE "[\\r\\n]"
#define DS_CJK  "[一-龥ࠀ-一가-\ud7ff]+"

typedef struct {
    const char *name;
    unsigned flags;
    const char *steps[MAX_STEPS]; /* "..." at the end of one: it goes on */
} pre_row;

/* First match wins. */
static const pre_row rows[] = {
    { "gpt-2", 0, { BYTES } },
    { "olmo", NFC, { BYTES } },
    { "gpt-2", 0, { GPT2 } },
    { "olmo", NFC, { GPT2 } },
    { "starcoder", 0, { DIGITS, BYTES } },
    { "command-r", NFC, { DIGITS, BYTES } },
    { "starcoder", 0, { "\\p{N}", BYTES } },
    { "falcon", ANY, { PUNCT, BYTES, RUNS, "[0-9][0-9][0-9]" } },
    { "falcon", ANY, { PUNCT, BYTES, "[0-9][0-9][0-9]" } },
    { "llama-bpe", IGNORE_MERGES, { LLAMA3 } },
    { "llama-bpe", IGNORE_MERGES, { LFM25 } },
    { "dbrx", 0, { LLAMA3 } },
    { "dbrx", 0, { LFM25 } },
    { "dbrx", 0, { CL100K } },
    { "qwen2", NFC, { QWEN2 } },
    { "hunyuan", 0, { QWEN2 } }, /* stablelm2, like qwen2, normalises */
    { "bailingmoe", 0, { BAILING } },
    { "laguna", 0, { LINES, QWEN2 } },
    { "minicpm5", IGNORE_MERGES, { "\\p{N}{1,3}", MINICPM5 } },
    { "qwen35", ANY, { QWEN35 } },
    { "seed-coder", ANY, { SEED } },
    { "exaone-moe", ANY, { EXAONE } },
    { "gpt-4o", 0, { GPT4O } },
    { "tiny_aya", 0, { THREES, GPT4O } },
    { "tekken", IGNORE_MERGES, { TEKKEN } },
    { "bloom", ANY, { BLOOM } },
    { "bloom", ANY, { BLOOM_ } },
    { "viking", ANY, { BLOOM, DIGITS } },
    { "viking", ANY, { BLOOM_, DIGITS } },
    { "deepseek-v3", ANY, { "\\p{N}{1,3}", CJK, DEEPSEEK3 } },
    { "deepseek-llm", ANY,
      { DS_NEWLINE, "\\s?[A-Za-zµÀ-Ö...", "\\s?[!-/:-~...", "\\s+$", DS_CJK, DIGITS } },
    { "deepseek-llm", ANY,
      { DS_NEWLINE, "\\s?[A-Za-zµÀ-Ö...", "\\s?[!-/:-~...", "\\s+$", DS_CJK, RUNS } },
    { "deepseek-coder", ANY, { DS_NEWLINE, "\\s?\\p{L}+", "\\s?\\p{P}+", DS_CJK, DIGITS } },
};

/* clang-format on */

typedef struct {
    char steps[MAX_STEPS + 1][MAX_REGEX];
    int n;
    bool has_bytes;
} step_list;

/* ---- reading the steps --------------------------------------------------------------------- */

/* An expression with newlines written as escapes, as most files have them, behind what `out` has;
 * it is cut when it is longer than any that is known. */
static void put_regex(char out[MAX_REGEX], const char *s)
{
    size_t n = strlen(out);
    for (; *s && n + 3 < MAX_REGEX; s++) {
        bool is_newline = *s == '\n' || *s == '\r';
        if (is_newline) out[n++] = '\\';
        out[n++] = *s == '\n' ? 'n' : *s == '\r' ? 'r' : *s;
    }
    out[n] = '\0';
}

/* What is done with what matches, where pieces are not just cut out, before the expression. An
 * expression that ends in \s+ matches all of a text: then removing what does not match is no more
 * than cutting. False: part of the text would be lost. */
static bool put_split(char out[MAX_REGEX], const json *j, const char *regex)
{
    static const char all[] = "|\\s+";
    const json *behavior = json_get(j, "behavior");
    bool inverts = false, removes = json_str_is(behavior, "Removed");
    json_get_bool(json_get(j, "invert"), &inverts);
    if (behavior && behavior->type == JSON_STRING && !removes
        && !json_str_is(behavior, "Isolated")) {
        put_regex(out, behavior->str);
        put_regex(out, " ");
    }
    put_regex(out, regex);
    size_t n = strlen(out), n_all = sizeof all - 1;
    return !removes || (inverts && n >= n_all && strcmp(out + n - n_all, all) == 0);
}

/* Bytes become characters here, so that what stands behind sees those; only "ByteLevel" with an
 * expression of its own has steps behind it, in rows that mean it so. */
static bool put_byte_level(char out[MAX_REGEX], const json *j)
{
    bool cuts = true;
    json_get_bool(json_get(j, "use_regex"), &cuts);
    put_regex(out, BYTES);
    if (cuts || j->next) return cuts;
    *out = '\0';
    return true;
}

/* What a part of the pre-tokenizer does, or false: it is of no known kind. */
static bool read_step(const json *j, step_list *list)
{
    char *out = list->n <= MAX_STEPS ? list->steps[list->n] : list->steps[MAX_STEPS];
    const json *pattern = json_get(j, "pattern"), *regex = json_get(pattern, "Regex");
    const json *type = json_get(j, "type"), *behavior = json_get(j, "behavior");
    bool is_known = true, is_single = false;
    *out = '\0';
    if (json_str_is(type, "ByteLevel")) {
        list->has_bytes = true;
        is_known = put_byte_level(out, j);
    } else if (json_str_is(type, "Digits")) {
        json_get_bool(json_get(j, "individual_digits"), &is_single);
        put_regex(out, is_single ? DIGITS : RUNS);
    } else if (json_str_is(type, "Punctuation") && json_str_is(behavior, "Contiguous")) {
        put_regex(out, PUNCT);
    } else if (!regex || regex->type != JSON_STRING || !put_split(out, j, regex->str)) {
        snprintf(out, MAX_REGEX, "%.64s",
                 type && type->type == JSON_STRING ? type->str : "of no type");
        is_known = false;
    }
    if (is_known && *out && list->n <= MAX_STEPS) list->n++;
    return is_known;
}

static bool read_steps(const json *pre, step_list *list)
{
    const json *parts = json_get(pre, "pretokenizers");
    bool is_known = parts || read_step(pre, list);
    for (const json *j = parts ? parts->first : NULL; j && is_known; j = j->next)
        is_known = read_step(j, list);
    return is_known;
}

/* ---- finding the row ----------------------------------------------------------------------- */

static bool step_fits(const char *want, const char *got)
{
    size_t n = strlen(want);
    bool goes_on = n > 3 && strcmp(want + n - 3, "...") == 0;
    return goes_on ? strncmp(want, got, n - 3) == 0 : strcmp(want, got) == 0;
}

static bool row_fits(const pre_row *r, const step_list *list, unsigned flags)
{
    int n = 0;
    while (n < MAX_STEPS && r->steps[n]) n++;
    if (n != list->n || (!(r->flags & ANY) && (r->flags & NFC) != (flags & NFC))) return false;
    if (r->flags & IGNORE_MERGES && !(flags & IGNORE_MERGES)) return false;
    for (int i = 0; i < n; i++)
        if (!step_fits(r->steps[i], list->steps[i])) return false;
    return true;
}

/* NULL: none fits. */
static const char *find_row(const step_list *list, unsigned flags)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (row_fits(&rows[i], list, flags)) return rows[i].name;
    return NULL;
}

static unsigned read_flags(const json *root)
{
    bool ignores = false, is_nfc = part_of_type(json_get(root, "normalizer"), "NFC");
    json_get_bool(json_get(json_get(root, "model"), "ignore_merges"), &ignores);
    return (is_nfc ? NFC : 0) | (ignores ? IGNORE_MERGES : 0);
}

const char *pre_name(const json *root, const char *path, lory_err *err)
{
    step_list list = { .n = 0 };
    const json *pre = json_get(root, "pre_tokenizer");
    bool is_known = pre && pre->type == JSON_OBJECT && read_steps(pre, &list);
    const char *name = is_known ? find_row(&list, read_flags(root)) : NULL;
    if (name && list.has_bytes) return name;
    if (name) {
        err_set(err, LORY_E_UNSUPPORTED, "%s: no 'ByteLevel' makes bytes of the words", path);
        return NULL;
    }
    int i = is_known && list.n ? list.n - 1 : list.n <= MAX_STEPS ? list.n : MAX_STEPS;
    err_set(err, LORY_E_UNSUPPORTED,
            "%s: the way text is cut into words is not known%s (step %d is '%.300s')", path,
            read_flags(root) & NFC ? " with normal form C" : "", i + 1,
            list.steps[i][0] ? list.steps[i] : "none");
    return NULL;
}
