/* test_tokenizer.c - text <-> ids: each algorithm on a small vocabulary followed by hand, broken
 * vocabularies, hostile texts. Real vocabularies are in test_tokenizer_vectors.c. */
#include "base/mem.h"
#include "gguf/gguf_write.h"
#include "test.h"
#include "token_check.h"
#include "token/tokens.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* ---- each algorithm, by hand --------------------------------------------------------------- */

TEST(tokenizer_spm_merges_the_highest_score_first)
{
    tiny_vocab v;
    token_open_tiny(&v, TINY_SPM);
    IDS(&v.t, "", 0, "");
    IDS(&v.t, "", ADD, "1");
    IDS(&v.t, "abc", 0, "10 8");       /* _abc: "bc" (-1) before "ab" (-2), then "_a" */
    IDS(&v.t, "ab", 0, "11");          /* "ab" (-2), then "_ab" */
    IDS(&v.t, "aaa", 0, "3 9 4");      /* of two equal pairs the left one; "_aa" is no piece */
    IDS(&v.t, " ab ab", 0, "3 11 11"); /* "ab" twice, then "_ab" (-5) before "__" (-6) */
    TEXT(&v.t, "3 11 11", 0, " ab ab");
    tiny_vocab_close(&v);
}

TEST(tokenizer_spm_unknown_characters_become_bytes)
{
    tiny_vocab v;
    token_open_tiny(&v, TINY_SPM);
    IDS(&v.t, "\xC3\xA9z", 0, "3 15 138"); /* 16 + 0x7A */
    IDS(&v.t, "\xE2\x82\xAC", 0, "3 242 146 188");
    IDS(&v.t,
        "\xFF"
        "a",
        0, "3 271 4");
    IDS(&v.t, "<0x41>", 0, "3 76 64 14 68 65 78"); /* text never is a byte piece */
    TEXT(&v.t, "3 242 146 188 271", 0, "\xE2\x82\xAC\xFF");
    tiny_vocab_close(&v);
    token_open_tiny(&v, TINY_SPM_PLAIN);
    IDS(&v.t, "azza", 0, "4 0 4"); /* a run of unknowns is one */
    TEXT(&v.t, "4 0 4", 0, "a \xE2\x81\x87 a");
    tiny_vocab_close(&v);
}

TEST(tokenizer_special_tokens_are_read_only_when_asked)
{
    tiny_vocab v;
    token_open_tiny(&v, TINY_SPM);
    IDS(&v.t, "a<s>b", PARSE, "10 1 3 5"); /* a blank again after a special token */
    IDS(&v.t, "a</s>", ADD | PARSE, "1 10 2");
    IDS(&v.t, "<s>", 0, "3 76 131 78");
    IDS(&v.t, "a<u>b", 0, "10 13 5"); /* user-defined: always */
    TEXT(&v.t, "1 10 2", 0, "a");
    TEXT(&v.t, "1 10 2", LORY_SHOW_SPECIAL, "<s> a</s>");
    tiny_vocab_close(&v);
    token_open_tiny(&v, TINY_BPE);
    IDS(&v.t, "<|end|><|endless|>", PARSE, "263 264"); /* the longest */
    IDS(&v.t, "<|endless<u>", PARSE, "60 124 101 110 100 108 101 115 115 265");
    IDS(&v.t, "<|end|>", 0, "60 124 101 110 100 124 62");
    tiny_vocab_close(&v);
}

TEST(tokenizer_special_tokens_of_phi_3_take_white_space_along)
{
    static const char *const names[] = { "Phi-3-mini", "microsoft_phi3", "Phi 3.5 mini" };
    for (size_t i = 0; i < 3; i++) {
        tiny_vocab v = { 0 };
        lory_err err;
        tiny_put_str(&v.file, "general.name", names[i]);
        tiny_vocab_keys(&v.file, TINY_SPM);
        tiny_finish(&v.file);
        REQUIRE(gguf_open_bytes(&v.g, v.file.image.data, v.file.image.len, "t", &err)
                && tokenizer_init(&v.t, &v.g, &err));
        IDS(&v.t,
            "a</s> \n\xC2\xA0\xE3\x80\x80"
            "a",
            PARSE, "10 2 10");
        IDS(&v.t, "<s>\na", PARSE, "1 3 26 4"); /* but not this one; 16 + 0x0A */
        tiny_vocab_close(&v);
    }
}

TEST(tokenizer_plain_ranges_are_never_special)
{
    tiny_vocab v;
    static const char s[] = "<|end|><|end|><|end|>";
    const text_range plain[] = { { 7, 14 } };
    tokenizer_text text = { s, sizeof s - 1, PARSE, plain, 1 };
    lory_tokens ids = { 0 };
    lory_err err;
    buf got = { 0 };
    token_open_tiny(&v, TINY_BPE);
    CHECK(tokenizer_encode(&v.t, &text, &ids, &err));
    token_put_ids(&got, &ids);
    CHECK_STR(got.data, "263 60 124 101 110 100 124 62 263");
    text_range touching = { 20, 21 }; /* the last byte of the third */
    text.plain = &touching;
    ids.n = 0;
    buf_clear(&got);
    CHECK(tokenizer_encode(&v.t, &text, &ids, &err));
    token_put_ids(&got, &ids);
    CHECK_STR(got.data, "263 263 60 124 101 110 100 124 62");
    mem_free(ids.id);
    buf_free(&got);
    tiny_vocab_close(&v);
}

TEST(tokenizer_bpe_merges_by_rank)
{
    tiny_vocab v;
    token_open_tiny(&v, TINY_BPE);
    IDS(&v.t, "hello", 0, "259");             /* he, ll, hell, hello */
    IDS(&v.t, "lo llo", 0, "261 32 257 111"); /* "l l" is ranked before "l o" */
    IDS(&v.t, " world", 0, "260 111 114 108 100");
    IDS(&v.t, "world", 0, "119 111 114 108 100");
    IDS(&v.t, "aaaa aaa", 0, "262 262 32 262 97");
    IDS(&v.t, "\xC3\xA9", 0, "266");
    IDS(&v.t, "e\xCC\x81", 0, "101 204 129");
    IDS(&v.t, "\xFF\x80", 0, "255 128");
    TEXT(&v.t, "259 260 266 263", 0, "hello w\xC3\xA9");
    tiny_vocab_close(&v);
    token_open_tiny(&v, TINY_BPE_NFC);
    IDS(&v.t, "e\xCC\x81", 0, "266"); /* composed first */
    tiny_vocab_close(&v);
    token_open_tiny(&v, TINY_LLAMA3);
    IDS(&v.t, "world hello", 0, "267 32 259"); /* whole words as they are */
    IDS(&v.t, "hello", ADD, "264 259");        /* the name says: a begin token */
    tiny_vocab_close(&v);
}

TEST(tokenizer_unigram_takes_the_best_sum)
{
    tiny_vocab v;
    token_open_tiny(&v, TINY_UNIGRAM);
    IDS(&v.t, "ab", 0, "3 6");    /* -2 -4 = -6 against _a b = -7.5 */
    IDS(&v.t, "abc", 0, "3 6 9"); /* -2 -4 -2.5 = -8.5 against _ abc = -11 */
    IDS(&v.t, "a", ADD, "7 1");
    IDS(&v.t, "  a   b ", 0, "7 3 5"); /* blanks trimmed and joined */
    IDS(&v.t, "   ", 0, "");
    IDS(&v.t, "azzb", 0, "7 2 5");
    IDS(&v.t, "a<u>b", 0, "7 10 5");
    TEXT(&v.t, "7 2 5 3 9", 0, "a \xE2\x81\x87 b c");
    tiny_vocab_close(&v);
}

TEST(tokenizer_wordpiece_matches_the_longest)
{
    tiny_vocab v;
    token_open_tiny(&v, TINY_WPM);
    IDS(&v.t, "Unaffable, HELLO", ADD, "2 4 5 6 8 7 3");
    IDS(&v.t, "unaffableness hellos", 0, "1 7 10");       /* unknown as a whole */
    IDS(&v.t, "h\xC3\xA9llo\xE4\xB8\xADs\n", 0, "7 9 1"); /* accents go, Chinese stands alone */
    TEXT(&v.t, "4 5 6 8 7 10", 0, "unaffable , hellos");
    TEXT(&v.t, "2 7 3", LORY_SHOW_SPECIAL, "[CLS] hello [SEP]");
    tiny_vocab_close(&v);
}

TEST(tokenizer_rwkv_and_gpt1)
{
    tiny_vocab v;
    token_open_tiny(&v, TINY_RWKV);
    IDS(&v.t, "abcabab\n\\'", 0, "4 3 3 5 6 7");
    IDS(&v.t, "\xE2\x82\xAC\xE2\xAC", 0, "9 11 8 11");
    IDS(&v.t, "a<s>", PARSE, "1"); /* unknown bytes are left out, there is no unknown token */
    TEXT(&v.t, "4 5 9 11", 0, "abc\n\xE2\x82\xAC");
    tiny_vocab_close(&v);
    token_open_tiny(&v, TINY_GPT1);
    IDS(&v.t, "He, hh hex", 0, "5 7 1 3 6 0");
    TEXT(&v.t, "5 7 1 3", 0, "he , hh"); /* no blank behind the last word */
    tiny_vocab_close(&v);
}

TEST(tokenizer_gemma4_merges_characters)
{
    tiny_vocab v;
    token_open_tiny(&v, TINY_GEMMA4);
    IDS(&v.t, "ab a", 0, "7 8");
    IDS(&v.t,
        "ab\xE2\x96\x81"
        "a",
        0, "7 8");                  /* the blank's sign is a blank */
    IDS(&v.t, "aab", ADD, "2 5 7"); /* a begin token against the word of the file */
    IDS(&v.t, "\n\n\na", 0, "10 9 5");
    IDS(&v.t, "\xC3\xA9", 0, "207 181"); /* 12 + the byte */
    IDS(&v.t, "a<u><eos>b", 0, "5 11 72 113 123 127 74 6");
    IDS(&v.t, "a<eos>b", PARSE, "5 1 6");
    TEXT(&v.t, "7 8 10 207 181", 0, "ab a\n\n\xC3\xA9");
    CHECK(tokenizer_is_end(&v.t, 1));
    tiny_vocab_close(&v);
}

TEST(tokenizer_plamo2_takes_the_best_sum_from_the_end)
{
    tiny_vocab v;
    token_open_tiny(&v, TINY_PLAMO2);
    IDS(&v.t, "ab", 0, "6"); /* as good as "a" and "b": the longest first */
    IDS(&v.t, "abc", 0, "6 8");
    IDS(&v.t, "a ab", 0, "4 9 5");            /* -1 -2 -1.5; a byte for the blank would cost 1000 */
    IDS(&v.t, "d\xC3\xA9", 0, "112 207 181"); /* 12 + the byte; "d" is too bad to be used */
    IDS(&v.t,
        "\xEF\xBB\xBF"
        "a<s>",
        0, "4 72 127 74");
    IDS(&v.t, "a<u><s>", PARSE, "4 11 1");
    TEXT(&v.t, "6 9 207 181", 0, "ab a\xC3\xA9");
    tiny_vocab_close(&v);
}

TEST(tokenizer_without_a_vocabulary_has_ids_only)
{
    tiny_vocab v = { 0 };
    lory_err err = { 0 };
    lory_tokens ids = { 0 };
    size_t n = 1;
    tiny_put_str(&v.file, "general.architecture", "gpt2");
    tiny_put_str(&v.file, "tokenizer.ggml.model", "no_vocab");
    tiny_put_u32(&v.file, "gpt2.vocab_size", 7);
    tiny_finish(&v.file);
    REQUIRE(gguf_open_bytes(&v.g, v.file.image.data, v.file.image.len, "tiny", &err));
    REQUIRE(tokenizer_init(&v.t, &v.g, &err), "%s", err.text);
    CHECK(tokenizer_n_vocab(&v.t) == 7 && tokenizer_bos(&v.t) == -1);
    tokenizer_piece(&v.t, 3, &n);
    CHECK(n == 0);
    TEXT(&v.t, "1 2 6", 0, "");
    IDS(&v.t, "", ADD, "");
    CHECK(!tokenizer_encode(&v.t, &(tokenizer_text){ .s = "abc", .n = 3 }, &ids, &err)
          && strstr(err.text, "tiny: the model has no vocabulary"));
    mem_free(ids.id);
    tiny_vocab_close(&v);
}

TEST(tokenizer_flags_of_the_file_win)
{
    tiny_vocab v = { 0 };
    lory_err err = { 0 };
    tiny_vocab_keys(&v.file, TINY_LLAMA3);
    tiny_put_bool(&v.file, "tokenizer.ggml.add_bos_token", false);
    tiny_put_bool(&v.file, "tokenizer.ggml.add_eos_token", true);
    tiny_finish(&v.file);
    REQUIRE(gguf_open_bytes(&v.g, v.file.image.data, v.file.image.len, "tiny", &err));
    REQUIRE(tokenizer_init(&v.t, &v.g, &err), "%s", err.text);
    IDS(&v.t, "hello", ADD, "259 263");
    CHECK(tokenizer_bos(&v.t) == 264 && tokenizer_eos(&v.t) == 263);
    CHECK(tokenizer_is_end(&v.t, 263) && !tokenizer_is_end(&v.t, 264)
          && !tokenizer_is_end(&v.t, -1));
    CHECK(tokenizer_n_vocab(&v.t) == 268);
    tiny_vocab_close(&v);
}

TEST(tokenizer_appends_and_leaves_what_was_there)
{
    tiny_vocab v;
    lory_tokens ids = { 0 };
    buf got = { 0 };
    token_open_tiny(&v, TINY_BPE);
    token_encode(&v.t, "hello hello", 11, 0, &ids);
    token_encode(&v.t, "hello", 5, 0, &ids);
    token_put_ids(&got, &ids);
    CHECK_STR(got.data, "259 32 259 259");
    mem_free(ids.id);
    buf_free(&got);
    tiny_vocab_close(&v);
}

/* Many threads, one tokenizer: each must get what one alone gets. */
typedef struct {
    const tokenizer *t;
    buf ids;
} worker;

static void *encode_often(void *user)
{
    static const char text[] = "hello world \xC3\xA9<u> aab abc lo llo <|end|> Unaffable";
    worker *w = user;
    for (int i = 0; i < 50; i++) {
        lory_tokens ids = { 0 };
        token_encode(w->t, text, sizeof text - 1, PARSE, &ids);
        buf_clear(&w->ids);
        token_put_ids(&w->ids, &ids);
        mem_free(ids.id);
    }
    return NULL;
}

TEST(tokenizer_may_be_used_by_many_threads)
{
    enum { N = 4 };
    for (int k = 0; k < TINY_COUNT; k++) {
        tiny_vocab v;
        worker w[N] = { 0 };
        pthread_t thread[N];
        token_open_tiny(&v, (tiny_kind)k);
        for (int i = 0; i < N; i++) w[i].t = &v.t;
        for (int i = 1; i < N; i++)
            REQUIRE(pthread_create(&thread[i], NULL, encode_often, &w[i]) == 0);
        encode_often(&w[0]);
        for (int i = 1; i < N; i++) pthread_join(thread[i], NULL);
        for (int i = 1; i < N; i++) CHECK_STR(w[i].ids.data, w[0].ids.data);
        for (int i = 0; i < N; i++) buf_free(&w[i].ids);
        tiny_vocab_close(&v);
    }
}

/* ---- streaming --------------------------------------------------------------------------- */

TEST(detok_holds_back_incomplete_characters)
{
    tiny_vocab v;
    detok d;
    lory_err err;
    const char *s;
    size_t n;
    /* clang-format off */
    static const struct { int id; const char *want; } rows[] = {
        { 0xF0, "" }, { 0x9F, "" }, { 0x98, "" }, { 0x80, "\xF0\x9F\x98\x80" }, { 'a', "a" },
        { 0xE2, "" }, { 'b', "\xE2" "b" }, { 0xC3, "" }, { 0xC3, "\xC3" }, { 0xA9, "\xC3\xA9" },
        { 0x80, "\x80" }, { 263, "" }, { 0xE2, "" }, { 0x82, "" },
    };
    /* clang-format on */
    token_open_tiny(&v, TINY_BPE);
    detok_init(&d, &v.t, 0, false);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK(detok_put(&d, rows[i].id, &s, &n, &err));
        CHECK(n == strlen(rows[i].want) && memcmp(s, rows[i].want, n) == 0, "row %zu", i);
    }
    detok_flush(&d, &s, &n);
    CHECK(n == 2 && memcmp(s, "\xE2\x82", 2) == 0);
    detok_flush(&d, &s, &n);
    CHECK(n == 0);
    CHECK(!detok_put(&d, 268, &s, &n, &err) && err.code == LORY_E_ARGUMENT && n == 0);
    CHECK(!detok_put(&d, -1, &s, &n, &err));
    detok_free(&d);
    tiny_vocab_close(&v);
}

TEST(detok_keeps_the_first_blank_of_a_text_that_goes_on)
{
    tiny_vocab v;
    int32_t id[] = { 11, 11 };
    lory_tokens ids = { id, 2, 2 };
    buf got = { 0 };
    token_open_tiny(&v, TINY_SPM);
    token_decode(&v.t, &ids, 0, true, &got);
    CHECK_STR(got.data, " ab ab");
    buf_clear(&got);
    token_decode(&v.t, &ids, 0, false, &got);
    CHECK_STR(got.data, "ab ab");
    buf_free(&got);
    tiny_vocab_close(&v);
}

/* GPT-1 marks the ends of words: what is generated behind a word starts with its blank. */
TEST(detok_puts_the_blank_of_the_word_before_what_follows_it)
{
    tiny_vocab v;
    detok d;
    lory_err err;
    const char *s;
    size_t n, n_piece;
    token_open_tiny(&v, TINY_GPT1);
    int32_t word = -1, part = -1;
    for (size_t i = 0; i < v.t.v.n; i++) {
        s = tokenizer_piece(&v.t, (int32_t)i, &n_piece);
        if (n_piece > 1 && s[n_piece - 1] == ' ') word = (int32_t)i;
        else if (n_piece > 0) part = (int32_t)i;
    }
    REQUIRE(word >= 0 && part >= 0);
    for (int follows = 0; follows < 2; follows++) {
        detok_init(&d, &v.t, 0, true);
        detok_follow(&d, follows ? word : part);
        REQUIRE(detok_put(&d, part, &s, &n, &err));
        CHECK((n > 0 && s[0] == ' ') == follows, "behind %s", follows ? "a word" : "a part");
        detok_free(&d);
    }
    tiny_vocab_close(&v);
}

/* As SentencePiece decodes: blanks are trimmed, but for one within the first piece of text. */
TEST(detok_drops_all_first_blanks_where_encoding_trims)
{
    tiny_vocab v = { 0 };
    lory_err err = { 0 };
    tiny_vocab_keys(&v.file, TINY_SPM_PLAIN); /* which says that no blank is put before */
    tiny_put_bool(&v.file, "tokenizer.ggml.remove_extra_whitespaces", true);
    tiny_finish(&v.file);
    REQUIRE(gguf_open_bytes(&v.g, v.file.image.data, v.file.image.len, "tiny", &err));
    REQUIRE(tokenizer_init(&v.t, &v.g, &err), "%s", err.text);
    TEXT(&v.t, "3 3 1 3 11 11", 0, "ab ab");
    TEXT(&v.t, "3 12 10", 0, "  a");
    TEXT(&v.t, "4 3 3 10", 0, "a   a");
    tiny_vocab_close(&v);
    token_open_tiny(&v, TINY_UNIGRAM);
    IDS(&v.t, "\xE2\x96\x81\xE2\x96\x81" "a", 0, "3 3 7");
    TEXT(&v.t, "3 3 7", 0, "a");
    tiny_vocab_close(&v);
    token_open_tiny(&v, TINY_SPM);
    TEXT(&v.t, "3 3 10", 0, "  a");
    tiny_vocab_close(&v);
}

TEST(tokenizer_pieces_are_running_text)
{
    tiny_vocab v;
    size_t n = 9;
    token_open_tiny(&v, TINY_SPM);
    CHECK(memcmp(tokenizer_piece(&v.t, 11, &n), " ab", 3) == 0 && n == 3);
    CHECK(*tokenizer_piece(&v.t, 16 + 0x41, &n) == 'A' && n == 1);
    tokenizer_piece(&v.t, 1, &n);
    CHECK(n == 0);
    tokenizer_piece(&v.t, 100000, &n);
    CHECK(n == 0);
    tiny_vocab_close(&v);
}

/* ---- broken vocabularies ------------------------------------------------------------------- */

typedef struct {
    const char *what;
    void (*put)(tiny_gguf *g);
} broken;

static const char *const two[] = { "a", "b" };

static void no_model(tiny_gguf *g)
{
    tiny_put_strs(g, "tokenizer.ggml.tokens", two, 2);
}
static void unknown_model(tiny_gguf *g)
{
    tiny_put_str(g, "tokenizer.ggml.model", "nonesuch");
}
static void no_tokens(tiny_gguf *g)
{
    tiny_put_str(g, "tokenizer.ggml.model", "llama");
}
static void empty_tokens(tiny_gguf *g)
{
    tiny_put_str(g, "tokenizer.ggml.model", "llama");
    tiny_put_strs(g, "tokenizer.ggml.tokens", two, 0);
}
static void no_scores(tiny_gguf *g)
{
    tiny_put_str(g, "tokenizer.ggml.model", "llama");
    tiny_put_strs(g, "tokenizer.ggml.tokens", two, 2);
}
static void few_scores(tiny_gguf *g)
{
    no_scores(g);
    tiny_put_f32s(g, "tokenizer.ggml.scores", (const float[]){ 0 }, 1);
}
static void nan_score(tiny_gguf *g)
{
    no_scores(g);
    tiny_put_f32s(g, "tokenizer.ggml.scores", (const float[]){ 0, 0.0f / 0.0f }, 2);
}
static void good_scores(tiny_gguf *g)
{
    no_scores(g);
    tiny_put_f32s(g, "tokenizer.ggml.scores", (const float[]){ 0, 0 }, 2);
}
static void few_types(tiny_gguf *g)
{
    good_scores(g);
    tiny_put_i32s(g, "tokenizer.ggml.token_type", (const int32_t[]){ 1 }, 1);
}
static void bad_type(tiny_gguf *g)
{
    good_scores(g);
    tiny_put_i32s(g, "tokenizer.ggml.token_type", (const int32_t[]){ 1, 7 }, 2);
}
static void bad_bos(tiny_gguf *g)
{
    good_scores(g);
    tiny_put_u32(g, "tokenizer.ggml.bos_token_id", 2);
}
static void string_bos(tiny_gguf *g)
{
    good_scores(g);
    tiny_put_str(g, "tokenizer.ggml.bos_token_id", "1");
}
static void number_flag(tiny_gguf *g)
{
    good_scores(g);
    tiny_put_str(g, "tokenizer.ggml.add_bos_token", "yes");
}
static void unknown_pre(tiny_gguf *g)
{
    tiny_put_str(g, "tokenizer.ggml.model", "gpt2");
    tiny_put_str(g, "tokenizer.ggml.pre", "nonesuch");
}
static void no_pre(tiny_gguf *g)
{
    tiny_put_str(g, "tokenizer.ggml.model", "gpt2");
    tiny_put_strs(g, "tokenizer.ggml.tokens", two, 2);
}
static void no_merges(tiny_gguf *g)
{
    tiny_put_str(g, "tokenizer.ggml.model", "gpt2");
    tiny_put_str(g, "tokenizer.ggml.pre", "gpt-2");
    tiny_put_strs(g, "tokenizer.ggml.tokens", two, 2);
}
static void bad_merge(tiny_gguf *g)
{
    no_merges(g);
    tiny_put_strs(g, "tokenizer.ggml.merges", (const char *const[]){ "ab" }, 1);
}
static void missing_merge(tiny_gguf *g)
{
    no_merges(g);
    tiny_put_strs(g, "tokenizer.ggml.merges", (const char *const[]){ "a b" }, 1);
}
static void long_token(tiny_gguf *g)
{
    static char text[VOCAB_MAX_TOKEN_BYTES + 2];
    const char *texts[] = { text };
    memset(text, 'a', sizeof text - 1);
    tiny_put_str(g, "tokenizer.ggml.model", "rwkv");
    tiny_put_strs(g, "tokenizer.ggml.tokens", texts, 1);
}
static void bad_charsmap(tiny_gguf *g)
{
    good_scores(g);
    tiny_put_u8s(g, "tokenizer.ggml.precompiled_charsmap", (const uint8_t[]){ 255, 255, 0, 0, 0 },
                 5);
}

TEST(tokenizer_broken_vocabularies_are_one_clear_line)
{
    /* clang-format off */
    static const broken rows[] = {
        { "no tokenizer (the key tokenizer.ggml.model is absent)", no_model },
        { "unknown tokenizer \"nonesuch\" (tokenizer.ggml.model; known: llama gpt2",
          unknown_model },
        { "tokenizer.ggml.tokens has 0 tokens", no_tokens },
        { "tokenizer.ggml.tokens has 0 tokens", empty_tokens },
        { "needs the key tokenizer.ggml.scores", no_scores },
        { "scores has 1 elements, but there are 2 tokens", few_scores },
        { "scores of token 1 is NaN", nan_score },
        { "token_type has 1 elements, but there are 2 tokens", few_types },
        { "token_type of token 1 is 7, expected 1 to 6", bad_type },
        { "bos_token_id is 2, but there are 2 tokens", bad_bos },
        { "bos_token_id", string_bos },
        { "add_bos_token", number_flag },
        { "unknown pre-tokenizer \"nonesuch\"", unknown_pre },
        { "no pre-tokenizer is named (the key tokenizer.ggml.pre is absent", no_pre },
        { "needs the key tokenizer.ggml.merges", no_merges },
        { "merge 0 is not two tokens (\"ab\")", bad_merge },
        { "merge 0 has a part that is no token (\"a b\")", missing_merge },
        { "token 0 has 65536 bytes, expected at most 65535", long_token },
        { "precompiled_charsmap is damaged", bad_charsmap },
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tiny_vocab v = { 0 };
        lory_err err = { 0 };
        rows[i].put(&v.file);
        tiny_finish(&v.file);
        REQUIRE(gguf_open_bytes(&v.g, v.file.image.data, v.file.image.len, "v.gguf", &err));
        CHECK(!tokenizer_init(&v.t, &v.g, &err), "taken: %s", rows[i].what);
        CHECK(strstr(err.text, rows[i].what) && strncmp(err.text, "v.gguf: ", 8) == 0,
              "got \"%s\", want \"%s\"", err.text, rows[i].what);
        tiny_vocab_close(&v);
    }
}

TEST(tokenizer_without_memory_fails_cleanly)
{
    for (int k = 0; k < TINY_COUNT; k++) {
        bool ok = false;
        for (uint64_t i = 1; !ok && i < 500; i++) {
            tiny_vocab v = { 0 };
            lory_err err = { 0 };
            lory_tokens ids = { 0 };
            tokenizer_text text = { "a hello \xC3\xA9<u>", 13, ADD | PARSE, NULL, 0 };
            tiny_vocab_keys(&v.file, (tiny_kind)k);
            tiny_finish(&v.file);
            REQUIRE(gguf_open_bytes(&v.g, v.file.image.data, v.file.image.len, "v", &err));
            mem_fail_at(i);
            ok = tokenizer_init(&v.t, &v.g, &err) && tokenizer_encode(&v.t, &text, &ids, &err);
            mem_fail_at(0);
            CHECK(ok || err.code == LORY_E_MEMORY, "kind %d, allocation %d: %s", k, (int)i,
                  err.text);
            CHECK(ok || ids.n == 0);
            mem_free(ids.id);
            tiny_vocab_close(&v);
        }
        CHECK(ok, "kind %d never succeeds", k);
    }
}

/* ---- time -------------------------------------------------------------------------------- */

static double seconds_once(const tokenizer *t, const char *unit, size_t n_bytes)
{
    buf text = { 0 };
    lory_tokens ids = { 0 };
    struct timespec a, b;
    while (text.len < n_bytes) buf_puts(&text, unit);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    token_encode(t, text.data, text.len, PARSE, &ids);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    buf_free(&text);
    mem_free(ids.id);
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
}

/* The best of 3: on a crowded machine even processor time doubles. */
static double seconds_of(const tokenizer *t, const char *unit, size_t n_bytes)
{
    double best = seconds_once(t, unit, n_bytes);
    for (int i = 0; i < 2; i++) {
        double s = seconds_once(t, unit, n_bytes);
        if (s < best) best = s;
    }
    return best;
}

TEST(tokenizer_time_is_nearly_linear_in_hostile_text)
{
    static const char *const units[] = { "a", " ", "\xCC\x81", "1", "<|en", "\xFF", "ab", "\n" };
    for (int k = 0; k < TINY_COUNT; k++) {
        tiny_vocab v;
        token_open_tiny(&v, (tiny_kind)k);
        for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
            double small = seconds_of(&v.t, units[u], 8000);
            double large = seconds_of(&v.t, units[u], 64000);
            CHECK(large < 30 * small + 0.02,
                  "kind %d on \"%s\": 8 times the text took %.1f times as "
                  "long",
                  k, units[u], large / small);
        }
        tiny_vocab_close(&v);
    }
}
