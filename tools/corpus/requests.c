/* requests.c - what someone might have asked to be told a story; see stories.h.
 *
 * What a story is about is read from its beginning: "there was a little girl named Lily" gives the
 * hero, a noun and a name; "Lily and Ben like to play" gives names. The thing it is about is the
 * noun that most often follows an article. Rules, not understanding: where they find nothing, the
 * request names nothing. */
#include "base/rng.h"
#include "chats.h"
#include "clean.h"
#include "names.h"
#include "stories.h"
#include "token/lookup.h"
#include <string.h>

enum { MAX_OPENING_BYTES = 220, MAX_PHRASE_WORDS = 5 };

/* ---- words -------------------------------------------------------------------------------- */

typedef struct {
    text_view word; /* letters; empty at the end of the text */
    char before;    /* what stands before it, other than a blank; ' ' if nothing does */
} token;

/* The next word of *t, which goes on after it. */
static token next_token(text_view *t)
{
    token x = { .before = ' ' };
    for (; t->n > 0 && !is_letter(*t->s); t->s++, t->n--)
        if (*t->s != ' ') x.before = *t->s;
    x.word.s = t->s;
    while (t->n > 0 && is_letter(*t->s)) t->s++, t->n--, x.word.n++;
    return x;
}

static bool is_word(text_view w, const char *s)
{
    return strlen(s) == w.n && memcmp(w.s, s, w.n) == 0;
}

static bool is_one_of(text_view w, const char *const *words)
{
    for (; *words; words++)
        if (is_word(w, *words)) return true;
    return false;
}

static bool is_same(text_view a, text_view b)
{
    return a.n == b.n && memcmp(a.s, b.s, a.n) == 0;
}

static bool is_capital(text_view w)
{
    return w.n > 0 && *w.s >= 'A' && *w.s <= 'Z';
}

static const char *const articles[] = { "a", "an", NULL };
static const char *const before_heroes[] = { "was", "lived", "were", "is", "lives", "there", NULL };
static const char *const before_nouns[] = { "a", "an", "the", "his", "her", "their", NULL };
static const char *const no_nouns[] = {
    "a",     "an",        "the",       "day",     "time",    "big",    "small",   "little",
    "new",   "old",       "good",      "bad",     "long",    "lot",    "few",     "bit",
    "very",  "nice",      "great",     "other",   "same",    "first",  "last",    "next",
    "best",  "mom",       "dad",       "mother",  "father",  "friend", "friends", "mommy",
    "daddy", "mum",       "way",       "end",     "man",     "woman",  "boy",     "girl",
    "kind",  "happy",     "sad",       "red",     "blue",    "green",  "yellow",  "white",
    "black", "pretty",    "beautiful", "special", "whole",   "loud",   "name",    "eyes",
    "hand",  "hands",     "head",      "face",    "place",   "thing",  "things",  "more",
    "heart", "idea",      "problem",   "rest",    "ground",  "sky",    "sun",     "world",
    "three", "shiny",     "soft",      "strong",  "tall",    "hot",    "cold",    "dark",
    "pink",  "fun",       "one",       "two",     "hard",    "far",    "while",   "morning",
    "night", "afternoon", "magic",     "magical", "brown",   "orange", "purple",  "huge",
    "tiny",  "lesson",    "people",    "own",     "brother", "sister", "family",  "parents",
    "son",   "lady",      "person",    "kid",     "kids",    "young",  "poor",    "moral",
    "story", "surprise",  "top",       "side",    "wide",    "fast",   "silly",   NULL
};
static const char *const ends_of_phrases[] = {
    "who",     "that",    "which",   "in",     "on",     "and",    "with",  "was",     "went",
    "lived",   "to",      "at",      "from",   "by",     "of",     "he",    "she",     "it",
    "is",      "had",     "so",      "but",    "for",    "where",  "they",  "walking", "playing",
    "looking", "sitting", "running", "flying", "living", "called", "named", "saw",     "wanted",
    "liked",   "loved",   "came",    "found",  "under",  "near",   "when",  NULL
};

/* ---- what a story is about ----------------------------------------------------------------- */

typedef struct {
    text_view phrase; /* "a little girl"; empty when nothing was found */
    text_view noun;   /* "girl" */
    text_view name;   /* "Lily", or "Lily and Ben" */
    text_view thing;  /* what else it is about */
} subject;

/* A phrase that starts after the article `first`: up to MAX_PHRASE_WORDS small words, then a name
 * if "named" or "called" follows. */
static bool read_phrase(subject *x, text_view first, text_view rest)
{
    static const char *const people[] = { "girl", "boy", "man", "woman", "lady", NULL };
    text_view last = { 0 };
    token w = next_token(&rest);
    for (int n = 0; n < MAX_PHRASE_WORDS; n++, w = next_token(&rest)) {
        if (w.word.n == 0 || w.before != ' ' || is_capital(w.word)) break;
        if (is_one_of(w.word, ends_of_phrases)) break;
        last = w.word;
    }
    if (last.n < 3 || (is_one_of(last, no_nouns) && !is_one_of(last, people))) return false;
    x->phrase = (text_view){ first.s, (size_t)(last.s + last.n - first.s) };
    x->noun = last;
    if (w.before == ' ' && (is_word(w.word, "named") || is_word(w.word, "called"))) {
        token name = next_token(&rest);
        if (is_capital(name.word) && name.before == ' ') x->name = name.word;
    }
    return true;
}

/* The hero: a phrase with a name, else the first one that stands where a hero is brought in. */
static void read_hero(subject *x, text_view t)
{
    token before = { .before = ' ' };
    for (token w = next_token(&t); w.word.n > 0; before = w, w = next_token(&t)) {
        subject found = { 0 };
        if (!is_one_of(w.word, articles) || !read_phrase(&found, w.word, t)) continue;
        bool brings_in = w.before == ',' || is_one_of(before.word, before_heroes);
        if (found.name.n == 0 && (!brings_in || x->phrase.n > 0)) continue;
        *x = found;
        if (found.name.n > 0) return;
    }
}

/* "Lily" or "Lily and Ben" at the beginning. */
static void read_names(subject *x, text_view t)
{
    sex whose;
    token first = next_token(&t), and = next_token(&t), second = next_token(&t);
    if (name_find(first.word.s, first.word.n, &whose) < 0) return;
    x->name = first.word;
    if (is_word(and.word, "and") && name_find(second.word.s, second.word.n, &whose) >= 0)
        x->name.n = (size_t)(second.word.s + second.word.n - first.word.s);
}

/* The noun that follows articles most often, twice at least; not x->noun. */
static void read_thing(subject *x, text_view t)
{
    enum { N_SLOTS = 256 };
    struct {
        text_view word;
        int count;
    } slot[N_SLOTS] = { 0 };
    int best = 1;
    bool is_next = false;
    for (token w = next_token(&t); w.word.n > 0; w = next_token(&t)) {
        bool is_after_article = is_next, is_adjective = is_next && is_one_of(w.word, no_nouns);
        is_next = is_adjective || is_one_of(w.word, before_nouns);
        if (!is_after_article || is_adjective || w.before != ' ' || is_capital(w.word)) continue;
        if (w.word.n < 3 || is_same(w.word, x->noun)) continue;
        size_t i = hash_bytes(w.word.s, w.word.n) % N_SLOTS; /* a rare clash starts anew */
        if (!is_same(slot[i].word, w.word)) slot[i].word = w.word, slot[i].count = 0;
        if (++slot[i].count > best) best = slot[i].count, x->thing = w.word;
    }
}

static subject find_subject(text_view story)
{
    subject x = { 0 };
    text_view t = story;
    if (t.n > MAX_OPENING_BYTES) t.n = MAX_OPENING_BYTES;
    read_hero(&x, t);
    if (x.phrase.n == 0) read_names(&x, t);
    read_thing(&x, story);
    return x;
}

/* ---- asking ------------------------------------------------------------------------------- */

/* %s is what the story is about. */
static const char *const requests[] = {
    "Tell me a story about %s.",
    "Tell me a story about %s.",
    "Can you tell me a story about %s?",
    "Please tell me a story about %s.",
    "Tell me a tale about %s.",
    "Write a story about %s.",
    "I want to hear a story about %s.",
    "Tell me a short story about %s.",
    "Could you tell me a story about %s?",
    "A story about %s, please.",
    "Do you know a story about %s?",
    "Write a short story about %s.",
    "Tell a story about %s.",
    "I would like a story about %s.",
    "Make up a story about %s.",
    "Can you write a story about %s?",
    "Tell me a bedtime story about %s.",
    "Tell me about %s.",
    "Now tell me a story about %s.",
    "Story about %s",
};
static const char *const open_requests[] = {
    "Tell me a story.",     "Tell me a story!",        "Can you tell me a story?",
    "Tell me a tale.",      "I want to hear a story.", "Please tell me a story.",
    "Write a story.",       "Tell me a short story.",  "Tell me a bedtime story.",
    "Do you know a story?", "Tell me another story.",  "Another story, please.",
    "Tell me something.",   "Yes, tell me a story.",
};
static const char *const begun_requests[] = {
    "Go on with this story: ",
    "Continue the story: ",
    "What happens next? ",
    "Finish this story: ",
    "",
};
#define PICK(table, draw) (table)[(draw) % (sizeof(table) / sizeof(table)[0])]

static void put_view(buf *out, text_view t)
{
    buf_put(out, t.s, t.n);
}

static bool is_plural(text_view noun)
{
    return noun.n > 2 && noun.s[noun.n - 1] == 's' && !strchr("us", noun.s[noun.n - 2]);
}

/* "a noun", "an egg", "nouns". */
static void put_noun(buf *out, text_view noun)
{
    if (!is_plural(noun)) buf_puts(out, strchr("aeiou", *noun.s) ? "an " : "a ");
    put_view(out, noun);
}

/* A noun of the story: with "a" if the story says so, else as "the water". */
static void put_thing(buf *out, text_view noun, text_view story)
{
    buf said = { 0 };
    buf_puts(&said, " ");
    put_noun(&said, noun);
    bool is_said = !said.failed && memmem(story.s, story.n, said.data, said.len);
    out->failed |= said.failed;
    buf_free(&said);
    if (is_said || is_plural(noun)) {
        put_noun(out, noun);
        return;
    }
    buf_puts(out, "the ");
    put_view(out, noun);
}

/* Who the story is about in one of its forms; nothing when it is not known. */
static void put_hero(buf *out, const subject *x, uint64_t draw)
{
    bool has_name = x->name.n > 0, has_phrase = x->phrase.n > 0;
    if (has_name && (!has_phrase || draw % 4 == 0)) {
        put_view(out, x->name);
        return;
    }
    if (!has_phrase) return;
    if (draw / 4 % 2)
        put_view(out, x->phrase);
    else
        put_noun(out, x->noun);
    if (has_name && draw / 8 % 2) {
        buf_puts(out, " named ");
        put_view(out, x->name);
    }
}

static void put_about(buf *out, const subject *x, text_view story, uint64_t draw)
{
    bool has_thing = x->thing.n > 0;
    if (!has_thing || draw % 8 != 0) put_hero(out, x, draw >> 8);
    if (!has_thing || (out->len > 0 && draw / 8 % 3 != 0)) return;
    if (out->len > 0) buf_puts(out, " and ");
    put_thing(out, x->thing, story);
}

/* "%s" of a form filled in. */
static void put_filled(buf *out, const char *form, const buf *about)
{
    const char *at = strstr(form, "%s");
    buf_put(out, form, (size_t)(at - form));
    buf_put(out, about->data, about->len);
    buf_puts(out, at + 2);
}

/* Where the second sentence of the story begins; 0 when it has only one. */
static size_t second_sentence(text_view t)
{
    for (size_t i = 0; i + 2 < t.n; i++)
        if (strchr(".!?", t.s[i]) && t.s[i + 1] == ' ' && t.s[i + 2] >= 'A' && t.s[i + 2] <= 'Z')
            return i + 2;
    return 0;
}

/* The user gives the first sentence and the answer goes on. */
static bool put_begun(chat *c, text_view story, uint64_t draw)
{
    size_t n = second_sentence(story);
    if (n == 0) return false;
    buf asked = { 0 };
    buf_puts(&asked, PICK(begun_requests, draw));
    buf_put(&asked, story.s, n - 1);
    c->line.failed |= asked.failed;
    if (!asked.failed) chat_put(c, asked.data, asked.len);
    chat_put(c, story.s + n, story.n - n);
    buf_free(&asked);
    return true;
}

static void put_asked(chat *c, text_view story, uint64_t about_draw, uint64_t draw)
{
    subject x = find_subject(story);
    buf about = { 0 }, asked = { 0 };
    if (draw % 10 != 0) put_about(&about, &x, story, about_draw);
    if (about.len > 0)
        put_filled(&asked, PICK(requests, draw >> 8), &about);
    else
        buf_puts(&asked, PICK(open_requests, draw >> 8));
    c->line.failed |= about.failed || asked.failed;
    if (!asked.failed) chat_put_typed(c, asked.data, draw >> 32);
    chat_put(c, story.s, story.n);
    buf_free(&about);
    buf_free(&asked);
}

void stories_request(docs *out, const docs *stories, uint64_t seed)
{
    enum { FOR_SHAPE, FOR_ABOUT, FOR_WORDING, FOR_HELLO, FOR_THANKS };
    for (size_t i = 0; i < stories->n; i++) {
        uint64_t shape = rng_at(seed, i, FOR_SHAPE), wording = rng_at(seed, i, FOR_WORDING);
        text_view story = docs_at(stories, i);
        chat c;
        chat_begin(&c);
        if (shape % 6 == 0) chat_put_hello(&c, rng_at(seed, i, FOR_HELLO));
        bool is_begun = shape / 6 % 12 == 0 && put_begun(&c, story, wording);
        if (!is_begun) put_asked(&c, story, rng_at(seed, i, FOR_ABOUT), wording);
        if (shape / 72 % 6 == 0) chat_put_thanks(&c, rng_at(seed, i, FOR_THANKS));
        chat_end(&c, out);
    }
}
