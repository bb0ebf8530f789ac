/* test_vocab_file.c - learning a vocabulary (tools/corpus/): the merges, the file, the template. */
#include "../tools/corpus/vocab_file.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "test.h"
#include <stdlib.h>

static lory_err err;

/* The words of Sennrich, Haddow and Birch's example: low 5, lower 2, newest 6, widest 3. */
static const char example[] = "low low low low low lower lower newest newest newest newest newest "
                              "newest widest widest widest";

static bool learn(bpe *b, const char *text, size_t n, size_t n_symbols)
{
    word_list w = { 0 };
    bool ok = words_add(&w, text, n, &err) && bpe_learn(b, &w, n_symbols, 1.0, &err);
    words_free(&w);
    return ok;
}

static bool is_symbol(const bpe *b, size_t i, const char *s)
{
    return i < b->symbols.n && gguf_str_is(strings_at(&b->symbols, i), s);
}

static void write_text(const char *path, const char *s, size_t n)
{
    FILE *f = fopen(path, "wb");
    REQUIRE(f && fwrite(s, 1, n, f) == n, "%s", path);
    fclose(f);
}

/* A vocabulary of the example at the path. */
static void write_vocab(const char *path, size_t n_symbols)
{
    bpe b;
    REQUIRE(learn(&b, example, strlen(example), n_symbols), "%s", err.text);
    CHECK(vocab_file_write(&b, path, &err), "%s", err.text);
    bpe_free(&b);
}

/* Worked out by hand: counts, and of equals the pair of older (more frequent) parts. */
TEST(bpe_merges_the_most_frequent_pair_first)
{
    static const char *const chars[] = { "e", " ", "w", "s", "t", "l", "o", "n", "d", "i", "r" };
    static const char *const merged[] = { "es", "est", " l",    "ow",     " low",
                                          "ew", " n",  "ewest", " newest" };
    bpe b;
    REQUIRE(learn(&b, example, strlen(example), 20 + 2), "%s", err.text);
    CHECK(b.n_alphabet == 11);
    for (size_t i = 0; i < 11; i++) CHECK(is_symbol(&b, i, chars[i]), "character %zu", i);
    for (size_t i = 0; i < 9; i++) CHECK(is_symbol(&b, 11 + i, merged[i]), "piece %zu", i);
    bpe_free(&b);
}

/* Counts all pairs of the words anew before each merge. */
static void naive_merge(strings *words, uint32_t (*symbol)[16], size_t *len, strings *symbols)
{
    size_t best = 0, best_l = 0, best_r = 0;
    for (size_t l = 0; l < symbols->n; l++)
        for (size_t r = 0; r < symbols->n; r++) {
            size_t n = 0;
            for (size_t w = 0; w < words->n; w++)
                for (size_t i = 0; i + 1 < len[w]; i++)
                    n += symbol[w][i] == l && symbol[w][i + 1] == r;
            if (n > best) best = n, best_l = l, best_r = r;
        }
    char text[64];
    gguf_str l = strings_at(symbols, best_l), r = strings_at(symbols, best_r);
    snprintf(text, sizeof text, "%.*s%.*s", (int)l.n, l.s, (int)r.n, r.s);
    uint32_t id = (uint32_t)strings_put(symbols, text, l.n + r.n);
    for (size_t w = 0; w < words->n; w++) {
        size_t n = 0;
        for (size_t i = 0; i < len[w]; n++) {
            bool is_pair = i + 1 < len[w] && symbol[w][i] == best_l && symbol[w][i + 1] == best_r;
            symbol[w][n] = is_pair ? id : symbol[w][i];
            i += is_pair ? 2 : 1;
        }
        len[w] = n;
    }
}

TEST(bpe_merges_as_counting_anew_each_time_does)
{
    enum { N_WORDS = 60, N_MERGES = 25 };
    uint32_t symbol[N_WORDS][16] = { { 0 } };
    size_t len[N_WORDS];
    strings words = { 0 }, symbols = { 0 };
    buf text = { 0 };
    bpe b;
    for (uint32_t i = 0, x = 1; i < N_WORDS; i++) { /* different words of a to d */
        char word[16] = { ' ' };
        size_t n = 1;
        for (; n < 5 + i % 7; n++) word[n] = "aabcd"[(x = x * 1664525 + 1013904223) >> 20 & 3];
        snprintf(word + n, sizeof word - n, "%c%c", 'a' + i % 8, 'a' + i / 8);
        CHECK(strings_put(&words, word, strlen(word)) == i);
        buf_puts(&text, i ? word : word + 1); /* the first blank is put by words_add */
    }
    REQUIRE(learn(&b, text.data, text.len, 50), "%s", err.text);
    for (size_t i = 0; i < b.n_alphabet; i++)
        strings_put(&symbols, strings_at(&b.symbols, i).s, strings_at(&b.symbols, i).n);
    for (size_t w = 0; w < N_WORDS; w++) {
        gguf_str s = strings_at(&words, w);
        for (len[w] = 0; len[w] < s.n; len[w]++)
            symbol[w][len[w]] = (uint32_t)strings_find(&symbols, s.s + len[w], 1);
    }
    for (int i = 0; i < N_MERGES; i++) naive_merge(&words, symbol, len, &symbols);
    for (size_t i = 0; i < symbols.n; i++) {
        gguf_str got = strings_at(&b.symbols, i), want = strings_at(&symbols, i);
        CHECK(got.n == want.n && memcmp(got.s, want.s, got.n) == 0,
              "symbol %zu: \"%.*s\", \"%.*s\"", i, (int)got.n, got.s, (int)want.n, want.s);
    }
    bpe_free(&b);
    strings_free(&words);
    strings_free(&symbols);
    buf_free(&text);
}

TEST(words_never_mix_letters_with_other_characters)
{
    static const char *const want[] = { " The", " \"",  "don't", "!\"", " ", "1",
                                        "2",    "Next", " dogs", "'",   " ." };
    const char *text = "The \"don't!\" 12\nNext dogs' dogs' .";
    word_list w = { 0 };
    REQUIRE(words_add(&w, text, strlen(text), &err), "%s", err.text);
    CHECK(w.n_docs == 1 && w.n_bytes == strlen(text));
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        CHECK(strings_find(&w.text, want[i], strlen(want[i])) >= 0, "no \"%s\"", want[i]);
    CHECK(w.count[strings_find(&w.text, " dogs", 5)] == 2);
    CHECK(strings_find(&w.text, "\n", 1) < 0);
    words_free(&w);
}

static void check_ids(const lory_model *m, const char *text, const lory_token *want, size_t n)
{
    lory_tokens ids = { 0 };
    REQUIRE(lory_tokenize(m, text, strlen(text), 0, &ids, &err), "%s", err.text);
    CHECK(ids.n == n, "%zu tokens of \"%s\"", ids.n, text);
    if (ids.n == n) CHECK_SAME(ids.id, want, n * sizeof *want, "%s", text);
    lory_tokens_free(&ids);
}

TEST(the_vocabulary_file_is_read_as_it_was_learnt)
{
    const char *path = test_temp("v.gguf");
    enum { FIRST = VOCAB_FILE_EXTRA, N_MERGED = 22 - 11, E = FIRST + N_MERGED };
    write_vocab(path, 22);
    lory_model *m = lory_model_open(path, &err);
    REQUIRE(m, "%s", err.text);
    check_ids(m, "newest", (lory_token[]){ FIRST + 8 }, 1);
    check_ids(m, "low est", (lory_token[]){ FIRST + 4, E + 1, FIRST + 1 }, 3);
    check_ids(m, "e\n\xC3\xA9", (lory_token[]){ E + 1, E, 3 + '\n', 3 + 0xC3, 3 + 0xA9 }, 5);
    CHECK(lory_token_bos(m) == 1 && lory_token_eos(m) == 2);
    CHECK(lory_token_is_end(m, 262) && lory_token_is_end(m, 2) && !lory_token_is_end(m, 261));
    lory_model_close(m);
}

TEST(the_same_text_gives_the_same_vocabulary_file)
{
    buf a = { 0 }, b = { 0 };
    write_vocab(test_temp("a.gguf"), 24);
    write_vocab(test_temp("b.gguf"), 24);
    REQUIRE(file_read(test_temp("a.gguf"), 1 << 20, &a, &err)
            && file_read(test_temp("b.gguf"), 1 << 20, &b, &err));
    CHECK(a.len == b.len);
    CHECK_SAME(a.data, b.data, a.len, "files");
    buf_free(&a);
    buf_free(&b);
}

/* What a user writes is never a control token. */
TEST(the_chat_template_puts_control_tokens_around_each_turn)
{
    static const char vars[] =
        "{\"messages\": [{\"role\": \"system\", \"content\": \"low\"},"
        " {\"role\": \"user\", \"content\": \" newest \"},"
        " {\"role\": \"assistant\", \"content\": \"<|end|>\"}], \"add_generation_prompt\": true}";
    static const lory_token begin[] = { 1,   259, VOCAB_FILE_EXTRA + 4,
                                        262, 260, VOCAB_FILE_EXTRA + 8,
                                        262, 261 };
    write_vocab(test_temp("v.gguf"), 22);
    lory_model *m = lory_model_open(test_temp("v.gguf"), &err);
    REQUIRE(m, "%s", err.text);
    lory_template t = { .name = "template" };
    lory_prompt p = { 0 };
    lory_tokens ids = { 0 };
    t.text = lory_model_chat_template(m, NULL, &t.n);
    REQUIRE(t.text && lory_render_template(m, &t, vars, sizeof vars - 1, &p, &err), "%s", err.text);
    REQUIRE(lory_tokenize_prompt(m, &p, &ids, &err), "%s", err.text);
    REQUIRE(ids.n > 10);
    CHECK_SAME(ids.id, begin, sizeof begin, "the prompt");
    CHECK(ids.id[ids.n - 2] == 262 && ids.id[ids.n - 1] == 261);
    int n_end = 0;
    for (size_t i = 0; i < ids.n; i++) n_end += ids.id[i] == 262;
    CHECK(n_end == 3, "%d ends", n_end);
    lory_tokens_free(&ids);
    lory_prompt_free(&p);
    static const char wrong[] = "{\"messages\": [{\"role\": \"tool\", \"content\": \"\"}]}";
    CHECK(!lory_render_template(m, &t, wrong, sizeof wrong - 1, &p, &err)
          && strstr(err.text, "roles are system, user and assistant"));
    lory_model_close(m);
}

TEST(documents_and_messages_are_learnt_from_alike)
{
    static const char text[] = "low low\n<|endoftext|>\n\nlow";
    static const char chat[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"low low\"},"
                               " {\"content\": \"low\"}]}\n";
    write_text(test_temp("a.txt"), text, sizeof text - 1);
    write_text(test_temp("a.jsonl"), chat, sizeof chat - 1);
    static const char *const names[] = { "a.txt", "a.jsonl" };
    for (int i = 0; i < 2; i++) {
        word_list w = { 0 };
        CHECK(words_add_file(&w, test_temp(names[i]), &err), "%s", err.text);
        CHECK(w.n_docs == 2 && w.text.n == 1 && w.count[0] == 3, "%s", names[i]);
        words_free(&w);
    }
}

/* Such a text ends where the model begins to write the line, and no control token is needed. */
TEST(a_running_text_makes_its_separator_an_end)
{
    static const char text[] = "low\n<|endoftext|>\nlow\n<|endoftext|>\nlow low";
    word_list w = { 0 };
    bpe b;
    lory_tokens ids = { 0 };
    write_text(test_temp("running.txt"), text, sizeof text - 1);
    REQUIRE(words_add_running(&w, test_temp("running.txt"), &err), "%s", err.text);
    CHECK(w.n_docs == 1);
    REQUIRE(bpe_learn(&b, &w, 26, 1.0, &err) && vocab_file_write(&b, test_temp("v.gguf"), &err),
            "%s", err.text);
    lory_model *m = lory_model_open(test_temp("v.gguf"), &err);
    REQUIRE(m, "%s", err.text);
    REQUIRE(lory_tokenize(m, "low\n<|endoftext|>", 17, 0, &ids, &err), "%s", err.text);
    size_t n_ends = 0;
    for (size_t i = 0; i < ids.n; i++) {
        size_t n;
        const char *piece = lory_token_text(m, ids.id[i], &n);
        if (!lory_token_is_end(m, ids.id[i])) continue;
        n_ends++;
        CHECK(n == 2 && memcmp(piece, "<|", 2) == 0, "token %zu", i);
    }
    CHECK(n_ends == 1, "%zu ends", n_ends);
    lory_tokens_free(&ids);
    lory_model_close(m);
    bpe_free(&b);
    words_free(&w);
}

TEST(texts_that_give_no_vocabulary_are_refused)
{
    static const struct {
        const char *text, *what;
    } rows[] = {
        { "{\"messages\": [}\n", "line 1" },
        { "{\"messages\": []}\n{\"text\": \"low\"}\n", "line 2: no list \"messages\"" },
        { "{\"messages\": [{\"role\": \"user\"}]}", "line 1: a message without \"content\"" },
    };
    word_list w = { 0 };
    bpe b;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_text(test_temp("bad.jsonl"), rows[i].text, strlen(rows[i].text));
        CHECK(!words_add_file(&w, test_temp("bad.jsonl"), &err), "row %zu", i);
        CHECK(strstr(err.text, rows[i].what), "%s", err.text);
    }
    words_free(&w);
    CHECK(!words_add_file(&w, test_temp("no such file"), &err));
    CHECK(!learn(&b, "low", 3, 100) && err.code == LORY_E_ARGUMENT, "too few pairs");
    CHECK(!learn(&b, "", 0, 100) && err.code == LORY_E_ARGUMENT, "no text");
}

/* A line without a blank, and bytes that are no text, take no more time than others. */
TEST(a_vocabulary_is_learnt_from_any_bytes)
{
    enum { N = 1 << 18 };
    char *s = malloc(N);
    bpe b;
    REQUIRE(s);
    memset(s, 'a', N);
    CHECK(learn(&b, s, N, 6), "%s", err.text);
    CHECK(is_symbol(&b, 2, "aa"));
    bpe_free(&b);
    uint32_t x = 1;
    for (int i = 0; i < N; i++) s[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
    CHECK(learn(&b, s, N, 400), "%s", err.text);
    bpe_free(&b);
    free(s);
}

TEST(learning_a_vocabulary_without_memory_fails_cleanly)
{
    const char *path = test_temp("v.gguf");
    bool ok = false;
    for (uint64_t n = 1; !ok && n < 5000; n += 1 + n / 16) {
        bpe b = { 0 };
        mem_fail_at(n);
        ok = learn(&b, example, strlen(example), 20) && vocab_file_write(&b, path, &err);
        mem_fail_at(0);
        bpe_free(&b);
        CHECK(ok || err.code == LORY_E_MEMORY, "allocation %d: %s", (int)n, err.text);
    }
    CHECK(ok && mem_live_bytes() == 0);
}
