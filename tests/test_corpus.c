/* test_corpus.c - the texts that models are trained on (tools/corpus/): cleaning, cutting, talks,
 * requests, and the files of a small corpus. */
#include "../tools/corpus/books.h"
#include "../tools/corpus/chats.h"
#include "../tools/corpus/clean.h"
#include "../tools/corpus/corpus.h"
#include "../tools/corpus/names.h"
#include "../tools/corpus/stories.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "test.h"
#include "text/json.h"
#include <sys/stat.h>

static lory_err err;
static const chat_range everything = { 0, SIZE_MAX };

static void check_doc(const docs *d, size_t i, const char *want)
{
    if (i >= d->n) {
        CHECK(i < d->n, "%zu documents", d->n);
        return;
    }
    text_view t = docs_at(d, i);
    CHECK(t.n == strlen(want) && memcmp(t.s, want, t.n) == 0, "got \"%.*s\", want \"%s\"", (int)t.n,
          t.s, want);
}

/* ---- cleaning ----------------------------------------------------------------------------- */

TEST(clean_text_is_plain_ascii_with_double_quotes_around_speech)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "\xE2\x80\x9CHi,\xE2\x80\x9D she said.", "\"Hi,\" she said." },
        { "\xE2\x80\x98I don\xE2\x80\x99t,\xE2\x80\x99 said Bo.", "\"I don't,\" said Bo." },
        { "'No, I'll look,' she said, 'and see.'", "\"No, I'll look,\" she said, \"and see.\"" },
        { "the princesses' room", "the princesses' room" },
        { "\xE2\x80\x98Tis late, Fran\xC3\xA7ois; \xC3\x86sop said 'tis.",
          "'Tis late, Francois; Aesop said 'tis." },
        { "very tired--and cold \xE2\x80\x94 so", "very tired - and cold - so" },
        { "so she ran--\xE2\x80\x9D", "so she ran-\"" },
        { "said he--\xE2\x80\x9CIt is", "said he - \"It is" },
        { "  a \t b\xC2\xA0\r\n\n\n c  \n", "a b\nc" },
        { "well-known\xE2\x80\xA6", "well-known..." },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf out = { 0 };
        CHECK(clean_text(&out, rows[i].text, strlen(rows[i].text)), "row %zu", i);
        CHECK_STR(out.data ? out.data : "", rows[i].want);
        buf_free(&out);
    }
}

TEST(clean_text_refuses_what_is_no_english_text)
{
    static const char *const rows[] = { "a\xFFz", "\xE4\xBD\xA0", "a\x02z", "cut \xE2\x80" };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf out = { 0 };
        CHECK(!clean_text(&out, rows[i], strlen(rows[i])), "row %zu", i);
        buf_free(&out);
    }
}

TEST(clean_print_drops_notes_and_shouting)
{
    buf b = { 0 };
    buf_puts(&b,
             "ONCE upon_a_ time [*] the king(2) said: \"I am VERY old [ancient].\" PART II (so)");
    clean_print(&b);
    CHECK_STR(b.data, "Once upona time the king said: \"I am very old.\" Part II (so)");
    buf_free(&b);
}

/* ---- documents ---------------------------------------------------------------------------- */

TEST(near_duplicates_are_dropped)
{
    static const char one[] =
        "The little red hen went to the big barn and found a golden egg there";
    docs d = { 0 }, before = { 0 };
    docs_put(&d, one, strlen(one));
    docs_put(&d, "Something else that nobody said before in this list of texts", 60);
    docs_put(&d, one, strlen(one) - 6);
    docs_put(&before, "SOMETHING else, that nobody said before in this list of texts!", 62);
    docs_dedupe(&d, &before, 50);
    CHECK(d.n == 1 && d.n_dropped[DROP_DUPLICATE] == 2);
    check_doc(&d, 0, one);
    docs_free(&d);
    docs_free(&before);
}

TEST(only_documents_of_known_words_are_plain)
{
    docs d = { 0 }, known = { 0 };
    docs_put(&known, "The cat sat on a mat", 20);
    docs_put(&d, "a cat on the mat", 16);
    docs_put(&d, "the perfidious cat", 18);
    docs_keep_plain(&d, &known, 70);
    CHECK(d.n == 1 && d.n_dropped[DROP_HARD] == 1);
    check_doc(&d, 0, "a cat on the mat");
    docs_free(&d);
    docs_free(&known);
}

#define SENTENCE_40 "The old king went out to find the bird. " /* 40 bytes */
#define SENTENCE_320                                                                               \
    SENTENCE_40 SENTENCE_40 SENTENCE_40 SENTENCE_40 SENTENCE_40 SENTENCE_40 SENTENCE_40 SENTENCE_40

TEST(books_are_cut_at_headings_and_sentences)
{
    static const char book[] =
        "Produced by nobody\nTHE BOOK\nPREFACE\n" SENTENCE_320 "\nCHAPTER I\n" SENTENCE_320
        "\n[Illustration: a bird]\nand no sentence begins so\n* A note.\nCHAPTER II\nToo short, "
        "this "
        "one.\nIII\n" SENTENCE_320 SENTENCE_320 SENTENCE_320 SENTENCE_320 SENTENCE_320 SENTENCE_320
            SENTENCE_320 SENTENCE_320 "\n<|endoftext|>\n" SENTENCE_320
        "\nAnd then the old king said:\n";
    docs d = { 0 };
    books_read(&d, book, strlen(book));
    CHECK(d.n == 4, "%zu documents", d.n);
    CHECK(d.n_dropped[DROP_SHORT] == 1 && d.n_dropped[DROP_MATTER] == 5, "%zu, %zu",
          d.n_dropped[DROP_SHORT], d.n_dropped[DROP_MATTER]);
    for (size_t i = 0; i < d.n; i++) {
        text_view t = docs_at(&d, i);
        CHECK(t.n <= 2000 && memcmp(t.s, "The old king", 12) == 0 && is_sentence_end(t.s, t.n),
              "document %zu: %.*s", i, (int)t.n, t.s);
    }
    CHECK(docs_at(&d, 0).n == 319 && docs_at(&d, 1).n + docs_at(&d, 2).n == 8 * 320 - 2);
    docs_free(&d);
}

/* ---- talks -------------------------------------------------------------------------------- */

static void check_personas(const char *csv, bool is_swapped, const char *want)
{
    docs d = { 0 };
    chats_read_personas(&d, (text_view){ csv, strlen(csv) }, everything, is_swapped);
    CHECK(d.n == (want != NULL), "%zu talks of %s", d.n, csv);
    if (want) check_doc(&d, 0, want);
    docs_free(&d);
}

#define CSV_HEAD        "a,b,c\r\n"
#define TURN(who, text) "{\"role\":\"" who "\",\"content\":\"" text "\"}"

TEST(personas_become_talks_of_user_and_assistant)
{
    static const char csv[] = CSV_HEAD "x,\"I say \"\"a\"\".\nYes.\",\"User 1: Hi, you!\n"
                                       "User 2: A \"\"dog\"\"?\nIt barks.\nUser 2: So.\n"
                                       "User 1: Yes.\nUser 2: Bye.\nUser 1: Bye!\"\r\n";
    check_personas(
        csv, false,
        "{\"messages\":[" TURN("user", "Hi, you!") "," TURN(
            "assistant", "A \\\"dog\\\"? It barks. So.") "," TURN("user",
                                                                  "Yes.") "," TURN("assistant",
                                                                                   "Bye.") "]}");
    check_personas(
        csv, true,
        "{\"messages\":[" TURN("user", "A \\\"dog\\\"? It barks. So.") "," TURN(
            "assistant", "Yes.") "," TURN("user", "Bye.") "," TURN("assistant", "Bye!") "]}");
}

TEST(names_that_were_left_open_are_filled_in)
{
    static const char csv[] = CSV_HEAD
        "x,y,\"User 1: Hi, I'm [user 1's name].\n* * User 2: * * Hi [name], my name is [name].\n"
        "User 1: Nice to meet you, [User 2].\nUser 2: Bye [user 1 name].\"\n";
    docs d = { 0 };
    json_doc j;
    const char *s[4];
    size_t n[4];
    chats_read_personas(&d, (text_view){ csv, strlen(csv) }, everything, false);
    REQUIRE(d.n == 1 && json_read(&j, docs_at(&d, 0).s, docs_at(&d, 0).n, "talk", &err));
    const json *m = json_get(j.root, "messages")->first;
    for (int i = 0; i < 4; i++, m = m->next)
        REQUIRE(m && json_get_str(json_get(m, "content"), &s[i], &n[i]));
    char one[32], two[32], want[128];
    REQUIRE(sscanf(s[0], "Hi, I'm %31[A-Za-z].", one) == 1);
    REQUIRE(sscanf(s[1], "Hi %*[A-Za-z], my name is %31[A-Za-z].", two) == 1);
    CHECK(strcmp(one, two) != 0);
    snprintf(want, sizeof want, "Hi %s, my name is %s.", one, two);
    CHECK_STR(s[1], want);
    snprintf(want, sizeof want, "Nice to meet you, %s.", two);
    CHECK_STR(s[2], want);
    snprintf(want, sizeof want, "Bye %s.", one);
    CHECK_STR(s[3], want);
    json_close(&j);
    docs_free(&d);
}

TEST(talks_that_are_none_are_dropped)
{
    check_personas(CSV_HEAD "x,y,\"User 1: In [city].\nUser 2: Oh.\"\n", false, NULL);
    check_personas(CSV_HEAD "x,y,\"User 1: Hello?\"\n", false, NULL);
    check_personas(CSV_HEAD "x,y,\"Once upon a time.\"\n", false, NULL);
    check_personas(CSV_HEAD "x,\"User 1: a.\nUser 2: b.\"\n", false, NULL);
    check_personas(CSV_HEAD "x,y,\"User 1: a.\nUser 2: b.\" z\n", false, NULL);
    check_personas(CSV_HEAD "x,y,\"User 1: a.\nUser 2: b.", false, NULL);
    check_personas(CSV_HEAD "x,y,\"User 1: \xFF.\nUser 2: b.\"\n", false, NULL);
    check_personas("x,y,\"User 1: a.\nUser 2: b.\"\n", false, NULL); /* the header */
    check_personas(CSV_HEAD, false, NULL);
    check_personas("", false, NULL);
    check_personas(CSV_HEAD "x,y,\"User 1: a.\nUser 2: b.\"", false,
                   "{\"messages\":[" TURN("user", "a.") "," TURN("assistant", "b.") "]}");
}

TEST(soda_blocks_become_talks)
{
    static const char soda[] = "User: Hi.\nBot: Hello.<|endoftext|>\nUser: Bye.\n\nStory: once.\n\n"
                               "User: So?\nBot: So.<|endoftext|>\n";
    docs d = { 0 };
    chats_read_soda(&d, (text_view){ soda, strlen(soda) }, everything);
    CHECK(d.n == 2 && d.n_dropped[DROP_MATTER] == 1, "%zu talks", d.n);
    check_doc(&d, 0, "{\"messages\":[" TURN("user", "Hi.") "," TURN("assistant", "Hello.") "]}");
    check_doc(&d, 1, "{\"messages\":[" TURN("user", "So?") "," TURN("assistant", "So.") "]}");
    docs_free(&d);
}

/* No bytes make the readers crash, and whatever they make of them is JSON. */
TEST(readers_take_any_bytes)
{
    static const char good[] = CSV_HEAD "x,\"y\",\"User 1: Hi [name].\nUser 2: \"\"A\"\"--b.\"\r\n"
                                        "<|endoftext|>\nUser: a\nBot: 'b'\n\nCHAPTER I\nOne day, a "
                                        "cat named Tom sat. ";
    char s[3 * sizeof good];
    uint32_t x = 1;
    for (int i = 0; i < 1000; i += test_stride(10)) {
        size_t n = 0;
        docs d = { 0 };
        for (int k = 0; k < 3; k++, n += sizeof good - 1) memcpy(s + n, good, sizeof good - 1);
        for (int k = 0; k < 1 + i % 9; k++) {
            x = x * 1664525 + 1013904223;
            s[(x >> 8) % n] = "\",\n\r[]'-\xE2\x80 <"[(x >> 28) % 12];
        }
        text_view t = { s, n - x % 100 };
        chats_read_personas(&d, t, everything, i % 2);
        chats_read_soda(&d, t, everything);
        for (size_t k = 0; k < d.n; k++) {
            json_doc j;
            CHECK(json_read(&j, docs_at(&d, k).s, docs_at(&d, k).n, "line", &err), "%s", err.text);
            json_close(&j);
        }
        books_read(&d, t.s, t.n);
        stories_read(&d, t.s, t.n);
        docs_free(&d);
    }
}

/* ---- stories ------------------------------------------------------------------------------ */

static const char story[] =
    "Once upon a time, there was a little girl named Lily. She had a kite. Lily and Tom took the "
    "kite to the hill. The wind took the kite.\nLily was sad, but Tom found it in a tall tree. "
    "They were glad, and they ran home with the kite.";

TEST(stories_are_read_whole_or_not)
{
    docs d = { 0 };
    buf text = { 0 };
    buf_printf(&text,
               "%s\nThe End\n" DOCUMENT_END "\n%.*s\n" DOCUMENT_END "\nShort.\n" DOCUMENT_END
               "\n%s [x]\n" DOCUMENT_END "\n%s\xFF",
               story, (int)strlen(story) - 3, story, story, story);
    stories_read(&d, text.data, text.len);
    CHECK(d.n == 1, "%zu stories", d.n);
    check_doc(&d, 0, story);
    CHECK(d.n_dropped[DROP_CUT] == 1 && d.n_dropped[DROP_SHORT] == 1);
    CHECK(d.n_dropped[DROP_PLACEHOLDER] == 1 && d.n_dropped[DROP_BROKEN] == 1);
    docs_free(&d);
    buf_free(&text);
}

/* Puts every name back: then it is the story again. */
TEST(renaming_gives_each_person_one_other_name_of_the_same_sex)
{
    docs d = { 0 }, from = { 0 };
    docs_put(&from, story, strlen(story));
    docs_put(&from, "The sun rose.", 13);
    for (uint64_t seed = 0; seed < 50; seed++) stories_rename(&d, &from, false, seed);
    CHECK(d.n == 50, "%zu", d.n);
    for (size_t i = 0; i < d.n; i++) {
        char girl[16], boy[16];
        buf back = { 0 };
        text_view t = docs_at(&d, i);
        sex whose;
        const char *named = strstr(t.s, "named "), *and = strstr(t.s, " and ");
        REQUIRE(named && sscanf(named, "named %15[A-Za-z]", girl) == 1);
        REQUIRE(and&&sscanf(and, " and %15[A-Za-z]", boy) == 1);
        CHECK(name_find(girl, strlen(girl), &whose) >= 0 && whose == GIRLS && strcmp(girl, "Lily"));
        CHECK(name_find(boy, strlen(boy), &whose) >= 0 && whose == BOYS && strcmp(boy, "Tom"));
        for (size_t at = 0; at < t.n;) {
            bool is_girl = strncmp(t.s + at, girl, strlen(girl)) == 0;
            bool is_boy = !is_girl && strncmp(t.s + at, boy, strlen(boy)) == 0;
            if (is_girl || is_boy)
                buf_puts(&back, is_girl ? "Lily" : "Tom");
            else
                buf_putc(&back, t.s[at]);
            at += is_girl ? strlen(girl) : is_boy ? strlen(boy) : 1;
        }
        CHECK_STR(back.data, story);
        buf_free(&back);
    }
    docs_free(&d);
    docs_free(&from);
}

/* The question before the story, in any of its wordings, names the hero or the kite, or nothing. */
TEST(requests_ask_for_what_the_story_is_about)
{
    docs d = { 0 }, from = { 0 };
    int n_hero = 0, n_thing = 0, n_told = 0;
    for (int i = 0; i < 200; i++) docs_put(&from, story, strlen(story));
    stories_request(&d, &from, 7);
    CHECK(d.n == 200);
    for (size_t i = 0; i < d.n; i++) {
        json_doc j;
        const char *s;
        size_t n, n_turns = 0;
        REQUIRE(json_read(&j, docs_at(&d, i).s, docs_at(&d, i).n, "request", &err), "%s", err.text);
        for (const json *m = json_get(j.root, "messages")->first; m; m = m->next, n_turns++) {
            CHECK(json_str_is(json_get(m, "role"), n_turns % 2 ? "assistant" : "user"));
            REQUIRE(json_get_str(json_get(m, "content"), &s, &n) && n > 0);
            if (n_turns % 2) {
                n_told += n >= 150 && strcmp(story + strlen(story) - n, s) == 0;
                continue;
            }
            n_hero += strstr(s, "girl") || strstr(s, "Lily");
            n_thing += strstr(s, "a kite") != NULL;
            CHECK(!strstr(s, "hill") && !strstr(s, "%s"), "%s", s);
        }
        CHECK(n_turns % 2 == 0);
        json_close(&j);
    }
    CHECK(n_told == 200 && n_hero > 100 && n_thing > 30, "%d %d %d", n_told, n_hero, n_thing);
    docs_free(&d);
    docs_free(&from);
}

TEST(smalltalk_is_by_the_seed_alone)
{
    docs a = { 0 }, b = { 0 }, c = { 0 };
    chats_make_smalltalk(&a, 50, 1);
    chats_make_smalltalk(&b, 50, 1);
    chats_make_smalltalk(&c, 50, 2);
    CHECK(a.n == 50 && a.bytes.len == b.bytes.len);
    CHECK_SAME(a.bytes.data, b.bytes.data, a.bytes.len, "talks");
    CHECK(a.bytes.len != c.bytes.len || memcmp(a.bytes.data, c.bytes.data, a.bytes.len) != 0);
    docs_free(&a);
    docs_free(&b);
    docs_free(&c);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void write_source(const char *dir, const char *name, const buf *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    REQUIRE(f && fwrite(text->data, 1, text->len, f) == text->len, "%s", path);
    fclose(f);
}

/* A corpus of 100 documents each, so that the last 2 % are the last two. */
static void write_corpus(const char *dir)
{
    static const char *const words[] = { "red", "big", "old", "sad", "wet",
                                         "hot", "shy", "odd", "new", "fat" };
    buf stories = { 0 }, books = { 0 }, personas = { 0 }, soda = { 0 };
    mkdir(dir, 0777);
    buf_puts(&personas, CSV_HEAD);
    for (int i = 0; i < 100; i++) {
        const char *a = words[i % 10], *b = words[i / 10];
        for (int k = 0; k < 8; k++) {
            buf_printf(&stories, "The %s %s dog %c went %s to %c. ", a, b, 'a' + k, b, 'k' + k);
            buf_printf(&books, "The %s %s king %c said %s to %c. ", b, a, 'a' + k, a, 'k' + k);
        }
        buf_puts(&stories, "\n" DOCUMENT_END "\n");
        buf_puts(&books, "\nCHAPTER I\n");
        buf_printf(&personas, "x,y,\"User 1: I am %s and %s, are you?\nUser 2: No, %s %s.\"\n", a,
                   b, b, a);
        buf_printf(&soda, "User: Are %s %s cats here now?\nBot: Yes, %s %s.\n\n", a, b, b, a);
    }
    write_source(dir, "tinystories.txt", &stories);
    write_source(dir, "gutenberg-children.txt", &books);
    write_source(dir, "Synthetic-Persona-Chat_valid.csv", &personas);
    write_source(dir, "Synthetic-Persona-Chat_test.csv", &personas);
    write_source(dir, "soda_subset_chat_val.txt", &soda);
    buf_free(&stories);
    buf_free(&books);
    buf_free(&personas);
    buf_free(&soda);
}

static buf read_output(const char *dir, const char *name)
{
    char path[512];
    buf b = { 0 };
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (!file_read(path, 1 << 24, &b, &err)) test_fail(__FILE__, __LINE__, "%s", err.text);
    return b;
}

TEST(a_corpus_is_made_the_same_twice_and_its_end_is_held_back)
{
    static const char *const names[] = {
        "tinystories.train.txt",
        "tinystories.held.txt",
        "books.train.txt",
        "books.held.txt",
        "persona.train.jsonl",
        "persona.held.jsonl",
        "soda.train.jsonl",
        "soda.held.jsonl",
        "requests.train.jsonl",
        "requests.held.jsonl",
        "smalltalk.train.jsonl",
        "persona-swapped.train.jsonl",
        "books-plain.train.txt",
        "tinystories-raw.train.txt",
        "tinystories-renamed-1.train.txt",
        "requests-renamed-1.train.jsonl",
    };
    char from[256], to[2][256];
    snprintf(from, sizeof from, "%s", test_temp("from"));
    write_corpus(from);
    for (int i = 0; i < 2; i++) {
        snprintf(to[i], sizeof to[i], "%s", test_temp(i ? "b" : "a"));
        mkdir(to[i], 0777);
        corpus_job job = { .from = from, .to = to[i], .seed = 1, .n_renamed = 1 };
        REQUIRE(corpus_make(&job, &err), "%s", err.text);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        buf a = read_output(to[0], names[i]), b = read_output(to[1], names[i]);
        CHECK(a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0), "%s", names[i]);
        buf_free(&a);
        buf_free(&b);
    }
    buf train = read_output(to[0], "tinystories.train.txt");
    buf held = read_output(to[0], "tinystories.held.txt");
    REQUIRE(train.data && held.data);
    CHECK(!strstr(train.data, "The fat fat dog") && strstr(train.data, "The red red dog"));
    CHECK(strstr(held.data, "The fat fat dog") && held.len < train.len / 50);
    buf raw = read_output(to[0], "tinystories-raw.train.txt");
    CHECK(raw.data && strstr(raw.data, "The red red dog") && !strstr(raw.data, "The fat fat dog"));
    buf_free(&raw);
    buf_free(&train);
    buf_free(&held);
}

TEST(a_corpus_that_lacks_a_text_is_refused)
{
    char from[256];
    snprintf(from, sizeof from, "%s", test_temp("nothing"));
    mkdir(from, 0777);
    corpus_job job = { .from = from, .to = from };
    CHECK(!corpus_make(&job, &err) && strstr(err.text, "tinystories.txt"), "%s", err.text);
}

TEST(making_talks_without_memory_is_noticed)
{
    static const char csv[] = CSV_HEAD "x,y,\"User 1: I'm [name].\nUser 2: Hi!\"\n";
    docs from = { 0 };
    docs_put(&from, story, strlen(story));
    bool ok = false;
    for (uint64_t n = 1; !ok && n < 1000; n++) {
        docs d = { 0 };
        mem_fail_at(n);
        chats_read_personas(&d, (text_view){ csv, strlen(csv) }, everything, false);
        stories_rename(&d, &from, true, 1);
        stories_request(&d, &from, 1);
        chats_make_smalltalk(&d, 2, 1);
        docs_dedupe(&d, &from, 50);
        docs_keep_plain(&d, &from, 1);
        mem_fail_at(0);
        ok = !d.failed;
        docs_free(&d);
    }
    CHECK(ok);
    docs_free(&from);
    CHECK(mem_live_bytes() == 0);
}
