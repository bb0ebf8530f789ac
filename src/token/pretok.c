/* pretok.c - see pretok.h: the rules as rows, and the table of names. The finders are in
 * pretok_find.c. Sources: the tokenizer.json of the models; the names are llama.cpp's. */
#include "token/pretok.h"
#include "base/err.h"
#include "text/unicode.h"
#include "token/pretok_find.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- cutting ----------------------------------------------------------------------------- */

typedef struct {
    const pretok_cutter *cutter;
    pretok_sink sink;
    void *user;
} cutting;

/* Whether pass i or one after it might cut the piece. */
static bool may_cut(const cutting *c, size_t i, const char *s, size_t n)
{
    const bool *starts = c->cutter->starts_later[i];
    for (size_t k = 0; k < n; k++)
        if (starts[(unsigned char)s[k]]) return true;
    return false;
}

/* Cuts one piece by pass i and hands matches and gaps to the next. */
static bool cut(const cutting *c, size_t i, const char *s, size_t n)
{
    const pretok_pass *pass = &c->cutter->rule->passes[i];
    if (!pass->find || !may_cut(c, i, s, n)) return c->sink(c->user, s, n);
    pretok_text t = { .s = s, .n = n, .starts = c->cutter->starts[i] };
    size_t at = 0, start, end;
    while (at < n && pass->find(&t, at, pass->rule, &start, &end)) {
        if (start > at && !cut(c, i + 1, s + at, start - at)) return false;
        if (!cut(c, i + 1, s + start, end - start)) return false;
        at = end;
    }
    return at == n || cut(c, i + 1, s + at, n - at);
}

void pretok_cutter_init(pretok_cutter *c, const pretok *rule)
{
    size_t n = 0;
    *c = (pretok_cutter){ .rule = rule };
    while (rule->passes[n].find) n++;
    assert(n <= PRETOK_MAX_PASSES);
    for (size_t i = n; i-- > 0;)
        for (int byte = 0; byte < 256; byte++) {
            c->starts[i][byte] = pass_may_start(&rule->passes[i], (unsigned char)byte);
            c->starts_later[i][byte] =
                c->starts[i][byte] || (i + 1 < n && c->starts_later[i + 1][byte]);
        }
}

bool pretok_split(const pretok_cutter *c, const char *s, size_t n, pretok_sink sink, void *user)
{
    cutting to = { c, sink, user };
    return n == 0 || cut(&to, 0, s, n);
}

/* ---- words: the GPT-2 expression and its descendants -------------------------------------- */

#define LETTERS_OR_NUMBERS (UNICODE_L | UNICODE_N)
#define NO_SYMBOL          (UNICODE_SPACE | UNICODE_L | UNICODE_N)

/* clang-format off */
static const words_rule words_gpt2 = {
    .contraction = CONTRACTION_LOWER, .letters = UNICODE_L, .blank_number = true,
    .symbols_not = NO_SYMBOL, .tail = "",
};
static const words_rule words_llama3 = {
    .contraction = CONTRACTION_ANY_CASE, .letters = UNICODE_L, .lead_any = true,
    .lead_not = LETTERS_OR_NUMBERS, .max_digits = 3, .symbols_not = NO_SYMBOL, .tail = "\r\n",
    .newlines = true,
};
static const words_rule words_qwen2 = {
    .contraction = CONTRACTION_ANY_CASE, .letters = UNICODE_L, .lead_any = true,
    .lead_not = LETTERS_OR_NUMBERS, .max_digits = 1, .symbols_not = NO_SYMBOL, .tail = "\r\n",
    .newlines = true,
};
static const words_rule words_qwen35 = { /* marks are letters */
    .contraction = CONTRACTION_ANY_CASE, .letters = UNICODE_L | UNICODE_M, .lead_any = true,
    .lead_not = LETTERS_OR_NUMBERS, .max_digits = 1, .symbols_not = NO_SYMBOL | UNICODE_M,
    .tail = "\r\n", .newlines = true,
};
static const words_rule words_seed_coder = {
    .contraction = CONTRACTION_ANY_CASE, .letters = UNICODE_L, .lead_any = true,
    .lead_not = LETTERS_OR_NUMBERS, .max_digits = 1, .symbols_not = NO_SYMBOL, .tail = "",
    .newlines = true,
};
static const words_rule words_exaone_moe = {
    .contraction = CONTRACTION_ANY_CASE, .word = WORD_PHRASE, .lead_any = true,
    .lead_not = LETTERS_OR_NUMBERS, .max_digits = 1, .symbols_not = NO_SYMBOL, .tail = "\r\n/",
    .max_tail = 1, .newlines = true,
};
static const words_rule words_jais2 = {
    .contraction = CONTRACTION_ANY_CASE, .letters = UNICODE_L, .lead_any = true,
    .lead_not = LETTERS_OR_NUMBERS, .max_digits = 3, .symbols_not = NO_SYMBOL, .tail = "\r\n",
    .newlines = true, .space_powers = true,
};
static const words_rule words_gpt4o = {
    .word = WORD_CASED, .suffix = true, .lead_any = true, .lead_not = LETTERS_OR_NUMBERS,
    .max_digits = 3, .symbols_not = NO_SYMBOL, .tail = "\r\n/", .newlines = true,
};
static const words_rule words_youtu = { /* gpt-4o with numbers of one digit */
    .word = WORD_CASED, .suffix = true, .lead_any = true, .lead_not = LETTERS_OR_NUMBERS,
    .max_digits = 1, .symbols_not = NO_SYMBOL, .tail = "\r\n/", .newlines = true,
};
static const words_rule words_tekken = {
    .word = WORD_CASED, .lead_any = true, .lead_not = LETTERS_OR_NUMBERS, .max_digits = 1,
    .symbols_not = NO_SYMBOL, .tail = "\r\n/", .newlines = true,
};
static const words_rule words_kimi = {
    .han_word = true, .word = WORD_CASED, .suffix = true, .lead_any = true,
    .lead_not = LETTERS_OR_NUMBERS, .max_digits = 3, .symbols_not = NO_SYMBOL, .tail = "\r\n",
    .newlines = true,
};
/* Symbols are \p{P} and \p{S} only; a number, which an earlier pass has cut out, is no word. */
static const words_rule words_deepseek3 = {
    .punct_word = true, .letters = UNICODE_L | UNICODE_M, .lead_any = true,
    .lead_not = UNICODE_L | UNICODE_P | UNICODE_S, .max_digits = -1,
    .symbols_not = ~(UNICODE_P | UNICODE_S | UNICODE_HAN), .tail = "\r\n", .newlines = true,
};

/* ---- runs -------------------------------------------------------------------------------- */

static const char_range newline_chars[] = { { '\n', '\n' }, { '\r', '\r' } };
static const char_range ascii_digits[] = { { '0', '9' } };
static const char_range ascii_symbols[] = { /* of $+<=>^~| */
    { '$', '$' }, { '+', '+' }, { '<', '>' }, { '^', '^' }, { '|', '|' }, { '~', '~' } };
static const char_range ascii_symbols_falcon[] = { /* and ` */
    { '$', '$' }, { '+', '+' }, { '<', '>' }, { '^', '^' }, { '`', '`' }, { '|', '|' },
    { '~', '~' } };
static const char_range ascii_punct[] = {
    { '!', '/' }, { ':', '@' }, { '[', '`' }, { '{', '~' } };
static const char_range bloom_ends[] = { /* (|.,!?…。，、।۔،) */
    { '!', '!' }, { '(', ')' }, { ',', ',' }, { '.', '.' }, { '?', '?' }, { '|', '|' },
    { 0x60C, 0x60C }, { 0x6D4, 0x6D4 }, { 0x964, 0x964 }, { 0x2026, 0x2026 },
    { 0x3001, 0x3002 }, { 0xFF0C, 0xFF0C } };
static const char_range cjk_kana[] = { { 0x3040, 0x30FF }, { 0x4E00, 0x9FA5 } };
static const char_range deepseek_cjk[] = { { 0x800, 0x9FA5 }, { 0xAC00, 0xD7FF } };
static const char_range deepseek_punct[] = {
    { '!', '/' }, { ':', '~' }, { 0x2018, 0x201F }, { 0x3000, 0x3002 }, { 0xFF01, 0xFF0F },
    { 0xFF1A, 0xFF5E } };
static const char_range deepseek_letters[] = { /* the letters with case, of some Unicode version */
    { 0x41, 0x5A }, { 0x61, 0x7A }, { 0xB5, 0xB5 }, { 0xC0, 0xD6 }, { 0xD8, 0xF6 },
    { 0xF8, 0x1BA }, { 0x1BC, 0x1BF }, { 0x1C4, 0x293 }, { 0x295, 0x2AF }, { 0x370, 0x373 },
    { 0x376, 0x377 }, { 0x37B, 0x37D }, { 0x37F, 0x37F }, { 0x386, 0x386 }, { 0x388, 0x38A },
    { 0x38C, 0x38C }, { 0x38E, 0x3A1 }, { 0x3A3, 0x3F5 }, { 0x3F7, 0x481 }, { 0x48A, 0x52F },
    { 0x531, 0x556 }, { 0x10A0, 0x10C5 }, { 0x13A0, 0x13F5 }, { 0x13F8, 0x13FD },
    { 0x1C90, 0x1CBA }, { 0x1CBD, 0x1CBF }, { 0x1D00, 0x1D2B }, { 0x1D6B, 0x1D77 },
    { 0x1D79, 0x1D9A }, { 0x1E00, 0x1F15 }, { 0x1F18, 0x1F1D }, { 0x1F20, 0x1F45 },
    { 0x1F48, 0x1F4D }, { 0x1F50, 0x1F57 }, { 0x1F59, 0x1F59 }, { 0x1F5B, 0x1F5B },
    { 0x1F5D, 0x1F5D }, { 0x1F5F, 0x1F7D }, { 0x1F80, 0x1FB4 }, { 0x1FB6, 0x1FBC },
    { 0x1FBE, 0x1FBE }, { 0x1FC2, 0x1FC4 }, { 0x1FC6, 0x1FCC }, { 0x1FD0, 0x1FD3 },
    { 0x1FD6, 0x1FDB }, { 0x1FE0, 0x1FEC }, { 0x1FF2, 0x1FF4 }, { 0x1FF6, 0x1FFC },
    { 0x2102, 0x2102 }, { 0x2107, 0x2107 }, { 0x210A, 0x2113 }, { 0x2115, 0x2115 },
    { 0x2119, 0x211D }, { 0x2124, 0x2124 }, { 0x2126, 0x2126 }, { 0x2128, 0x2128 },
    { 0x212A, 0x212D }, { 0x212F, 0x2134 }, { 0x2139, 0x2139 }, { 0x213C, 0x213F },
    { 0x2145, 0x2149 }, { 0x214E, 0x214E }, { 0x2183, 0x2184 }, { 0x2C00, 0x2C7B },
    { 0x2C7E, 0x2CE4 }, { 0x2CEB, 0x2CEE }, { 0x2CF2, 0x2CF3 }, { 0xA640, 0xA66D },
    { 0xA680, 0xA69B }, { 0xA722, 0xA76F }, { 0xA771, 0xA787 }, { 0xA78B, 0xA78E },
    { 0xAB70, 0xABBF }, { 0xFB00, 0xFB06 }, { 0xFB13, 0xFB17 }, { 0xFF21, 0xFF3A },
    { 0xFF41, 0xFF5A }, { 0x10400, 0x1044F }, { 0x104B0, 0x104D3 }, { 0x104D8, 0x104FB },
    { 0x10C80, 0x10CB2 }, { 0x10CC0, 0x10CF2 }, { 0x118A0, 0x118DF }, { 0x1E900, 0x1E943 } };
static const char_range afmoe_scripts[] = { /* scripts written without spaces */
    { 0xE40, 0xEFF }, { 0x1000, 0x109F }, { 0x1100, 0x11FF }, { 0x1780, 0x17FF },
    { 0x2F00, 0x2FDF }, { 0x3040, 0x30FF }, { 0x3400, 0x4DBF }, { 0x4E00, 0x9FFF },
    { 0xA9E0, 0xA9FF }, { 0xAA60, 0xAA7F }, { 0xAC00, 0xD7AF }, { 0xF900, 0xFAFF },
    { 0xFF65, 0xFF9F } };
static const char_range hangul[] = { { 0x3131, 0x318E }, { 0xAC00, 0xD7A3 } };
static const char_range youtu_punct[] = {
    { 0x2014, 0x2014 }, { 0x2018, 0x2019 }, { 0x201C, 0x201D }, { 0x2026, 0x2026 },
    { 0x3001, 0x303F }, { 0xFE30, 0xFE4F }, { 0xFF01, 0xFF01 }, { 0xFF0C, 0xFF0C },
    { 0xFF1A, 0xFF1B } };
static const char_range bopomofo[] = { { 0x3105, 0x312F } };

#define RANGES(list) .ranges = (list), .n_ranges = sizeof(list) / sizeof(list)[0]

static const char_set set_newline = { RANGES(newline_chars) };
static const char_set set_number = { .bits = UNICODE_N };
static const char_set set_letter = { .bits = UNICODE_L };
static const char_set set_punct = { .bits = UNICODE_P };
static const char_set set_ascii_digit = { RANGES(ascii_digits) };
static const char_set set_punct_default = { .bits = UNICODE_P, RANGES(ascii_symbols) };
static const char_set set_punct_falcon = { .bits = UNICODE_P, RANGES(ascii_symbols_falcon) };
static const char_set set_punct_chameleon = { .bits = UNICODE_P, RANGES(ascii_punct) };
static const char_set set_bloom = { .bits = UNICODE_SPACE, RANGES(bloom_ends), .negated = true };
static const char_set set_cjk_kana = { RANGES(cjk_kana) };
static const char_set set_deepseek_cjk = { RANGES(deepseek_cjk) };
static const char_set set_deepseek_punct = { RANGES(deepseek_punct) };
static const char_set set_deepseek_letter = { RANGES(deepseek_letters) };
static const char_set set_afmoe = { RANGES(afmoe_scripts) };
static const char_set sets_youtu[] = {
    { RANGES(hangul) }, { RANGES(youtu_punct) }, { RANGES(bopomofo) }, { RANGES(cjk_kana) } };

static const run_rule one_newline = { &set_newline, 1, LEAD_NONE, 1, 1 };
static const run_rule one_number = { &set_number, 1, LEAD_NONE, 1, 1 };
static const run_rule numbers = { &set_number, 1, LEAD_NONE, 1, 0 };
static const run_rule numbers_1_3 = { &set_number, 1, LEAD_NONE, 1, 3 };
static const run_rule three_digits = { &set_ascii_digit, 1, LEAD_NONE, 3, 3 };
static const run_rule spaced_letters = { &set_letter, 1, LEAD_SPACE, 1, 0 };
static const run_rule spaced_punct = { &set_punct, 1, LEAD_SPACE, 1, 0 };
static const run_rule punct_default = { &set_punct_default, 1, LEAD_NONE, 1, 0 };
static const run_rule punct_falcon = { &set_punct_falcon, 1, LEAD_NONE, 1, 0 };
static const run_rule one_punct = { &set_punct_chameleon, 1, LEAD_NONE, 1, 1 };
static const run_rule bloom_word = { &set_bloom, 1, LEAD_BLANK, 1, 0 };
static const run_rule cjk_run = { &set_cjk_kana, 1, LEAD_NONE, 1, 0 };
static const run_rule deepseek_cjk_run = { &set_deepseek_cjk, 1, LEAD_NONE, 1, 0 };
static const run_rule deepseek_letter_run = { &set_deepseek_letter, 1, LEAD_SPACE, 1, 0 };
static const run_rule deepseek_punct_run = { &set_deepseek_punct, 1, LEAD_SPACE, 1, 0 };
static const run_rule afmoe_run = { &set_afmoe, 1, LEAD_NONE, 1, 0 };
static const run_rule youtu_runs = { sets_youtu, 4, LEAD_NONE, 1, 0 };

static const group_rule groups_afmoe = { UNICODE_N, false };
static const group_rule groups_superbpe = { UNICODE_BIT(UNICODE_ND), false };
static const group_rule groups_tiny_aya = { UNICODE_BIT(UNICODE_ND), true };

/* ---- rules: passes in order --------------------------------------------------------------- */

static const pretok_pass afmoe[] = {
    { find_groups, &groups_afmoe }, { find_run, &afmoe_run }, { find_words, &words_deepseek3 },
    { 0 } };
static const pretok_pass bloom[] = { { find_run, &bloom_word }, { 0 } };
static const pretok_pass chameleon[] = {
    { find_sentinel, NULL }, { find_image, NULL }, { find_indent, NULL }, { find_run, &one_number },
    { find_run, &one_punct }, { find_words, &words_gpt2 }, { 0 } };
static const pretok_pass deepseek3[] = {
    { find_run, &numbers_1_3 }, { find_run, &cjk_run }, { find_words, &words_deepseek3 }, { 0 } };
static const pretok_pass deepseek_coder[] = {
    { find_run, &one_newline }, { find_run, &spaced_letters }, { find_run, &spaced_punct },
    { find_run, &deepseek_cjk_run }, { find_run, &one_number }, { 0 } };
static const pretok_pass deepseek_llm[] = {
    { find_run, &one_newline }, { find_run, &deepseek_letter_run },
    { find_run, &deepseek_punct_run }, { find_space_at_end, NULL },
    { find_run, &deepseek_cjk_run }, { find_run, &numbers }, { 0 } };
static const pretok_pass default_rule[] = {
    { find_run, &punct_default }, { find_words, &words_gpt2 }, { find_run, &numbers },
    { find_run, &three_digits }, { 0 } };
static const pretok_pass exaone_moe[] = { { find_words, &words_exaone_moe }, { 0 } };
static const pretok_pass falcon[] = {
    { find_run, &punct_falcon }, { find_words, &words_gpt2 }, { find_run, &three_digits }, { 0 } };
static const pretok_pass gpt2[] = { { find_words, &words_gpt2 }, { 0 } };
static const pretok_pass gpt2_digits[] = {
    { find_run, &one_number }, { find_words, &words_gpt2 }, { 0 } };
static const pretok_pass gpt4o[] = { { find_words, &words_gpt4o }, { 0 } };
static const pretok_pass jais2[] = { { find_words, &words_jais2 }, { 0 } };
static const pretok_pass kimi[] = { { find_words, &words_kimi }, { 0 } };
static const pretok_pass laguna[] = { { find_lines, NULL }, { find_words, &words_qwen2 }, { 0 } };
static const pretok_pass llama3[] = { { find_words, &words_llama3 }, { 0 } };
static const pretok_pass minicpm5[] = {
    { find_run, &numbers_1_3 }, { find_words, &words_llama3 }, { 0 } };
static const pretok_pass qwen2[] = { { find_words, &words_qwen2 }, { 0 } };
static const pretok_pass qwen35[] = { { find_words, &words_qwen35 }, { 0 } };
static const pretok_pass seed_coder[] = { { find_words, &words_seed_coder }, { 0 } };
static const pretok_pass superbpe[] = {
    { find_run, &numbers }, { find_cuts, &groups_superbpe }, { 0 } };
static const pretok_pass tekken[] = { { find_words, &words_tekken }, { 0 } };
static const pretok_pass tiny_aya[] = {
    { find_groups, &groups_tiny_aya }, { find_words, &words_gpt4o }, { 0 } };
static const pretok_pass viking[] = { { find_run, &bloom_word }, { find_run, &one_number }, { 0 } };
static const pretok_pass youtu[] = {
    { find_run, &youtu_runs }, { find_words, &words_youtu }, { 0 } };

/* ---- the table: a name is a row ------------------------------------------------------------ */

enum { LLAMA3 = PRETOK_IGNORE_MERGES | PRETOK_ADD_BOS };

static const pretok pretoks[] = {
    { "a.x-4.0", gpt2, 0 },
    { "afmoe", afmoe, 0 },
    { "bailingmoe", qwen2, 0 },
    { "bailingmoe2", qwen2, 0 },
    { "bloom", bloom, 0 },
    { "chameleon", chameleon, PRETOK_ADD_BOS },
    { "chatglm-bpe", llama3, 0 },
    { "codeshell", gpt2_digits, 0 },
    { "cohere2_moe", gpt2_digits, 0 },
    { "cohere2moe", tiny_aya, 0 },
    { "command-r", gpt2_digits, 0 },
    { "dbrx", llama3, 0 },
    { "deepseek-coder", deepseek_coder, 0 },
    { "deepseek-llm", deepseek_llm, 0 },
    { "deepseek-r1-qwen", qwen2, PRETOK_NFC },
    { "deepseek-v3", deepseek3, 0 },
    { "default", default_rule, 0 },
    { "exaone", gpt2_digits, 0 },
    { "exaone-moe", exaone_moe, 0 },
    { "exaone4", gpt2, 0 },
    { "f2llmv2", qwen2, PRETOK_NFC },
    { "falcon", falcon, 0 },
    { "falcon-h1", llama3, LLAMA3 },
    { "falcon3", llama3, LLAMA3 },
    { "gigachat", gpt2, 0 },
    { "glm4", llama3, 0 },
    { "gpt-2", gpt2, 0 },
    { "gpt-4o", gpt4o, 0 },
    { "gpt3-finnish", bloom, 0 },
    { "granite-docling", gpt2, 0 },
    { "granite-embed-multi-97m", gpt4o, PRETOK_IGNORE_MERGES },
    { "grok-2", qwen2, 0 },
    { "hunyuan", qwen2, 0 },
    { "hunyuan-dense", deepseek3, 0 },
    { "jais", gpt2, 0 },
    { "jais-2", jais2, 0 },
    { "jina-de", gpt2, 0 },
    { "jina-es", gpt2, 0 },
    { "jina-v1-en", gpt2, PRETOK_ADD_SEP },
    { "jina-v2-code", gpt2, PRETOK_ADD_SEP },
    { "jina-v2-de", gpt2, 0 },
    { "jina-v2-es", gpt2, 0 },
    { "jina-v5-nano", llama3, LLAMA3 },
    { "joyai-llm", deepseek3, 0 },
    { "kanana2", gpt4o, 0 },
    { "kimi-k2", kimi, 0 },
    { "kormo", qwen2, PRETOK_NFC },
    { "laguna", laguna, 0 },
    { "lfm2", llama3, LLAMA3 },
    { "llada-moe", qwen2, 0 },
    { "llama-bpe", llama3, LLAMA3 },
    { "llama-v3", llama3, LLAMA3 },
    { "llama3", llama3, LLAMA3 },
    { "llama4", gpt4o, 0 },
    { "megrez", qwen2, PRETOK_NFC },
    { "mellum", gpt2, 0 },
    { "mellum2", gpt2_digits, 0 },
    { "midm-2.0", llama3, LLAMA3 },
    { "minerva-7b", gpt2_digits, 0 },
    { "minicpm5", minicpm5, PRETOK_IGNORE_MERGES },
    { "minimax-m2", gpt4o, 0 },
    { "modern-bert", gpt2, 0 },
    { "mpt", gpt2, PRETOK_NFC },
    { "olmo", gpt2, PRETOK_NFC },
    { "openpangu", qwen2, PRETOK_NFC },
    { "phi-2", gpt2, 0 },
    { "pixtral", llama3, LLAMA3 },
    { "poro-chat", bloom, 0 },
    { "qwen2", qwen2, PRETOK_NFC },
    { "qwen35", qwen35, 0 },
    { "refact", gpt2_digits, 0 },
    { "roberta-bpe", gpt2, PRETOK_ADD_SEP },
    { "seed-coder", seed_coder, 0 },
    { "smaug-bpe", llama3, 0 },
    { "smollm", gpt2_digits, 0 },
    { "solar-open", qwen2, 0 },
    { "stablelm2", qwen2, PRETOK_NFC },
    { "starcoder", gpt2_digits, 0 },
    { "superbpe", superbpe, 0 },
    { "talkie", gpt4o, 0 },
    { "tekken", tekken, LLAMA3 },
    { "tiny_aya", tiny_aya, 0 },
    { "trillion", gpt2, 0 },
    { "viking", viking, 0 },
    { "youtu", youtu, PRETOK_IGNORE_MERGES },
};

/* clang-format on */

const pretok *pretok_find(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof pretoks / sizeof pretoks[0]; i++)
        if (strlen(pretoks[i].name) == n && memcmp(pretoks[i].name, name, n) == 0)
            return &pretoks[i];
    return NULL;
}

bool pretok_unknown(const char *subject, const char *name, size_t n, lory_err *err)
{
    char known[LORY_ERR_MAX] = "";
    size_t at = 0;
    for (size_t i = 0; i < sizeof pretoks / sizeof pretoks[0] && at < sizeof known; i++)
        at +=
            (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? " " : "", pretoks[i].name);
    if (n == 0)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: no pre-tokenizer is named (the key tokenizer.ggml.pre is absent or "
                       "empty; known: %s)",
                       subject, known);
    return err_set(err, LORY_E_UNSUPPORTED,
                   "%s: unknown pre-tokenizer \"%.*s\" (tokenizer.ggml.pre; known: %s)", subject,
                   n < 64 ? (int)n : 64, name, known);
}
