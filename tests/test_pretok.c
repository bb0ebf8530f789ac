/* test_pretok.c - pre-tokenizers: how each rule cuts a text, followed by hand through the regular
 * expressions of the models; no gaps; linear time. */
#include "base/buf.h"
#include "test.h"
#include "token/pretok.h"
#include <time.h>

/* '~' marks the cuts. */
static bool put_marked(void *user, const char *s, size_t n)
{
    buf *out = user;
    if (out->len) buf_putc(out, '~');
    return buf_put(out, s, n);
}

static void check_cuts(int line, const char *name, const char *text, const char *want)
{
    const pretok *p = pretok_find(name, strlen(name));
    buf out = { 0 };
    if (!p) {
        test_fail(__FILE__, line, "no rule \"%s\"", name);
        return;
    }
    static pretok_cutter c;
    pretok_cutter_init(&c, p);
    bool ok = pretok_split(&c, text, strlen(text), put_marked, &out);
    if (!ok || strcmp(out.data ? out.data : "", want) != 0)
        test_fail(__FILE__, line, "%s: got \"%s\", want \"%s\"", name, out.data, want);
    buf_free(&out);
}
#define CUTS(name, text, want) check_cuts(__LINE__, name, text, want)

TEST(pretok_gpt2_words)
{
    CUTS("gpt-2", "", "");
    CUTS("gpt-2", "Hello world's  foo\n\n 123abc!?", "Hello~ world~'s~ ~ foo~\n\n~ 123~abc~!?");
    CUTS("gpt-2", "I'LL we'll x'S", "I~'~LL~ we~'ll~ x~'~S");
    CUTS("gpt-2", "a \t b   ", "a~ \t~ b~   ");
    CUTS("gpt-2", "\ta", "\t~a");
    CUTS("gpt-2", "e\xCC\x81x", "e~\xCC\x81~x"); /* a mark is no letter */
    CUTS("gpt-2", "a\xC2\xA0\xC2\xA0 b", "a~\xC2\xA0\xC2\xA0~ b");
    CUTS("gpt-2", "\xFF\xFEz", "\xFF\xFE~z");
    CUTS("starcoder", "ab12 3", "ab~1~2~ ~3");
}

TEST(pretok_llama3_and_qwen2_words)
{
    CUTS("llama-bpe", "I'LL  go\n\n x12345\t(a) don't",
         "I~'LL~ ~ go~\n\n~ x~123~45~\t~(a~)~ don~'t");
    CUTS("llama-bpe", "!!\r\n\r\n x", "!!\r\n\r\n~ x");
    CUTS("llama-bpe",
         "a'\xC5\xBF"
         "b",
         "a~'\xC5\xBF~b"); /* a long s is an s */
    CUTS("llama-bpe", "  \n \n  y", "  \n \n~ ~ y");
    CUTS("qwen2", "1234 56", "1~2~3~4~ ~5~6");
    CUTS("qwen35", "e\xCC\x81x \xCC\x81", "e\xCC\x81x~ \xCC\x81");
    CUTS("seed-coder", "a!!\n\nb", "a~!!~\n\n~b");
    CUTS("bailingmoe", "a!!\n\n b", "a~!!\n\n~ b");
}

TEST(pretok_words_by_case)
{
    CUTS("gpt-4o", "HelloWorld's HTTPServer", "Hello~World's~ HTTPServer");
    CUTS("gpt-4o", "helloWORLD 12345 //\n/x", "hello~WORLD~ ~123~45~ //\n/~x");
    CUTS("gpt-4o",
         "\xE4\xB8\xAD"
         "AB",
         "\xE4\xB8\xAD~AB"); /* Lo, then upper case only */
    CUTS("gpt-4o",
         "A\xE4\xB8\xAD"
         "Bc",
         "A\xE4\xB8\xAD"
         "Bc");
    CUTS("tekken", "HelloWorld's 12", "Hello~World~'s~ ~1~2");
    CUTS("kimi-k2",
         "a\xE4\xB8\xAD\xE6\x96\x87"
         "B",
         "a~\xE4\xB8\xAD\xE6\x96\x87~B");
    CUTS("youtu",
         "a\xED\x95\x9C"
         "12",
         "a~\xED\x95\x9C~1~2");
}

TEST(pretok_rules_of_several_passes)
{
    CUTS("deepseek-v3", "a1234 (b)\xE4\xB8\xAD x", "a~123~4~ (~b~)~\xE4\xB8\xAD~ x");
    CUTS("deepseek-coder", "a b12\n.\xE4\xB8\xAD", "a~ b~1~2~\n~.~\xE4\xB8\xAD");
    CUTS("deepseek-llm", "ab  12 .x  ", "ab~  ~12~ .~x~  ");
    CUTS("falcon", "a$b 12345`", "a~$~b~ ~123~45~`");
    CUTS("default", "a+b 12345", "a~+~b~ ~123~45");
    CUTS("bloom", "Hello, world (x).y", "Hello~,~ world~ (~x~).~y");
    CUTS("viking", "ab12, c", "ab~1~2~,~ c");
    CUTS("exaone-moe", "the cat  sat 1", "the cat~ ~ sat~ ~1");
    CUTS("superbpe", "a bc 1234567 d", "a bc ~1~234~567~ d");
    CUTS("superbpe",
         "1234\xC2\xB2"
         "12345\xC2\xB2 x",
         "1~234\xC2\xB2"
         "12~345\xC2\xB2~ x");
    CUTS("tiny_aya", "x 1234567 12a", "x~ ~1~234~567~ ~12~a");
    CUTS("tiny_aya", "1234\xE2\x81\xB4", "1~234~\xE2\x81\xB4"); /* a superscript ends a word, */
    CUTS("tiny_aya", "1234\xC2\xB2", "123~4\xC2\xB2");          /* but not one of Latin-1, */
    CUTS("tiny_aya", "1234\xE2\x92\xB6", "123~4~\xE2\x92\xB6"); /* nor a letter in a circle */
    CUTS("afmoe", "x1234567", "x~1~234~567");
    CUTS("minicpm5", "x  1234 I'LL", "x~  ~123~4~ I~'LL"); /* llama-bpe: a blank goes with "1234" */
    CUTS("laguna", "ab; 12\n\n  c;\r\n\r\n  \n d", "ab~;~ ~1~2~\n\n~ ~ c~;~\r\n\r\n~  ~\n~ d");
    CUTS("laguna", "a\rb\n", "a~\r~b~\n");
    CUTS("chameleon", "IMGIMGABZ<sentinel:12>    a1", "IMGIMGABZ~<~sentinel~:~1~2~>~    ~a~1");
    CUTS("jais-2", "a        b", "a~    ~  ~ ~ b");
}

TEST(pretok_unknown_name_is_an_error_that_lists_the_known)
{
    lory_err err;
    CHECK(!pretok_find("nonesuch", 8) && !pretok_find("gpt", 3) && !pretok_find("", 0));
    CHECK(!pretok_unknown("f.gguf", "nonesuch", 8, &err));
    CHECK(err.code == LORY_E_UNSUPPORTED);
    CHECK(strstr(err.text, "f.gguf: unknown pre-tokenizer \"nonesuch\"") == err.text);
    CHECK(strstr(err.text, "afmoe") && strstr(err.text, " youtu)"), "%s", err.text);
}

/* ---- no rule loses a byte, and none is quadratic ------------------------------------------- */

/* clang-format off */
static const char *const names[] = {
    "afmoe", "bloom", "chameleon", "deepseek-v3", "deepseek-coder", "deepseek-llm", "default",
    "exaone-moe", "falcon", "gpt-2", "starcoder", "gpt-4o", "jais-2", "kimi-k2", "laguna",
    "llama-bpe", "minicpm5", "qwen2", "qwen35", "seed-coder", "superbpe", "tekken", "tiny_aya",
    "viking", "youtu",
};
/* clang-format on */
enum { N_NAMES = sizeof names / sizeof names[0] };

typedef struct {
    const char *at; /* where the next piece must begin */
    size_t n_pieces;
} seen;

static bool follow(void *user, const char *s, size_t n)
{
    seen *e = user;
    bool ok = s == e->at && n > 0;
    e->at = s + n;
    e->n_pieces++;
    return ok;
}

TEST(pretok_pieces_follow_one_another_without_gaps)
{
    /* clang-format off */
    static const char *const parts[] = {
        "a", "B", "1", " ", "\n", "\r", "\t", ".", "'", "s", "'s", "\xC3\xA9", "\xE4\xB8\xAD",
        "\xCC\x81", "\xC2\xA0", "\xFF", "\xE2\x82", "\xF0\x9F\x98\x80", "\xC7\x85", "(", "/",
        "\xED\x95\x9C", "\xD9\xA3", "12345", "    ", "\xC2\xB2", "_", "<sentinel:", "IMGIMG",
    };
    /* clang-format on */
    uint32_t rng = 1;
    for (int i = 0; i < 500; i++) {
        char text[256] = "";
        for (int k = 0; k < 20; k++) {
            rng = rng * 1664525u + 1013904223u;
            strcat(text, parts[(rng >> 8) % (sizeof parts / sizeof parts[0])]);
        }
        for (int p = 0; p < N_NAMES; p++) {
            seen e = { text, 0 };
            const pretok *rule = pretok_find(names[p], strlen(names[p]));
            static pretok_cutter c[N_NAMES];
            REQUIRE(rule);
            if (!c[p].rule) pretok_cutter_init(&c[p], rule);
            REQUIRE(pretok_split(&c[p], text, strlen(text), follow, &e));
            REQUIRE(*e.at == '\0');
        }
    }
}

static double seconds_of(const pretok_cutter *c, const buf *text)
{
    double best = 1e9;
    for (int i = 0; i < 2; i++) {
        seen e = { text->data, 0 };
        struct timespec a, b;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        pretok_split(c, text->data, text->len, follow, &e);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        double s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
        if (s < best) best = s;
    }
    return best;
}

static void repeat(buf *out, const char *s, size_t n_bytes)
{
    buf_clear(out);
    while (out->len < n_bytes) buf_puts(out, s);
}

TEST(pretok_time_is_linear_in_hostile_text)
{
    /* clang-format off */
    static const char *const hostile[] = { "a", "A", " ", "\n", "1", ".", "\xCC\x81", " \n", "'",
                                           "\xE4\xB8\xAD\x41", " a", "IMGIMG", "\t " };
    /* clang-format on */
    buf small = { 0 }, large = { 0 };
    for (size_t h = 0; h < sizeof hostile / sizeof hostile[0]; h++) {
        repeat(&small, hostile[h], 4000);
        repeat(&large, hostile[h], 32000);
        for (int p = 0; p < N_NAMES; p++) {
            const pretok *rule = pretok_find(names[p], strlen(names[p]));
            static pretok_cutter c;
            pretok_cutter_init(&c, rule);
            double a = seconds_of(&c, &small), b = seconds_of(&c, &large);
            CHECK(b < 30 * a + 0.02, "%s on \"%s\": 8 times the text took %.1f times as long",
                  names[p], hostile[h], b / a);
        }
    }
    buf_free(&small), buf_free(&large);
}
