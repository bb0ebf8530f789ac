/* test_chat_talk.c - a talk's tokens: what is undone, put back, kept in a file or dropped leaves
 * what it should, whether the template goes on with a talk or shows it anew. */
#include "cli/chat_talk.h"
#include "base/mem.h"
#include "test.h"

#define MODEL "models/tales-tiny-q8_0.gguf"

static const char goes_on[] = "{{ bos_token }}{% for m in messages %}{{ '\n' + m.role + ': ' + "
                              "m.content }}{% endfor %}{{ '\nassistant: ' }}",
                  /* of old answers only the last letter is shown */
    shortens[] = "{{ bos_token }}{% for m in messages %}{{ '\n' + m.role + ': ' + (m.content if "
                 "m.role == 'user' or loop.revindex < 3 else m.content[-1:]) }}{% endfor %}"
                 "{{ '\nassistant: ' }}";

static const char *const letters[] = { "A", "n", " ", "o", "l", "d", " cat" };

/* An answer in tokens that no tokenizer would choose: of single letters. */
static bool draw(const talk *t, size_t i, talk_turn *turn, lory_err *err)
{
    bool ok = true;
    for (size_t k = 0; k < 2 + i % 5 && ok; k++) {
        const char *s = letters[(i + k) % 7];
        ok = buf_puts(&turn->answer, s) && lory_tokenize(t->m, s, strlen(s), 0, &turn->ids, err);
    }
    return ok;
}

static bool say(talk *t, size_t i, lory_err *err)
{
    talk_turn turn = { .n_retries = (int)(i % 2) };
    lory_tokens ids = { 0 };
    buf text = { 0 };
    char user[40];
    int n = snprintf(user, sizeof user, "What is %zu?", i);
    bool ok = talk_input_add(&turn.input, user, (size_t)n, err)
              && talk_prompt(t, &turn.input, &ids, &text, err) && draw(t, i, &turn, err)
              && talk_add(t, &turn, &ids, &text, err);
    turn_free(&turn);
    lory_tokens_free(&ids);
    buf_free(&text);
    return ok;
}

/* A talk of n turns; closed with its model by close_talk. */
static bool open_talk(talk *t, const char *template_text, size_t n)
{
    lory_err err = { 0 };
    *t = (talk){ .m = lory_model_open(MODEL, &err), .template_name = "t" };
    bool ok = t->m && buf_puts(&t->template_text, template_text);
    for (size_t i = 0; i < n && ok; i++) ok = say(t, i, &err);
    CHECK(ok, "%s", err.text);
    return ok;
}

static void close_talk(talk *t)
{
    lory_model_close((lory_model *)t->m);
    talk_free(t);
}

static void check_same(const talk_held *got, const talk_held *want, const char *what)
{
    CHECK(got->ids.n == want->ids.n, "%s: %zu tokens, not %zu", what, got->ids.n, want->ids.n);
    CHECK(got->text.len == want->text.len, "%s", what);
    if (got->ids.n != want->ids.n || got->text.len != want->text.len || !got->ids.n) return;
    CHECK_SAME(got->ids.id, want->ids.id, want->ids.n * sizeof *want->ids.id, "%s", what);
    CHECK_SAME(got->text.data, want->text.data, want->text.len, "%s", what);
}

/* Each undone turn leaves what a talk without it holds. */
static void undo_all(const char *template_text, size_t n)
{
    talk t, shorter;
    lory_err err;
    if (!open_talk(&t, template_text, n)) return;
    while (t.n > 0) {
        talk_turn turn;
        CHECK(talk_pop(&t, &turn, &err), "%s", err.text);
        turn_free(&turn);
        if (!open_talk(&shorter, template_text, t.n)) break;
        check_same(&t.held, &shorter.held, "undone");
        close_talk(&shorter);
    }
    close_talk(&t);
}

TEST(undoing_leaves_what_was_held_before)
{
    undo_all(goes_on, 6);
    undo_all(shortens, 6);
}

static void put_back(const char *template_text)
{
    talk t;
    lory_err err;
    talk_held before = { 0 }, moved = { 0 };
    talk_turn turn = { 0 };
    if (!open_talk(&t, template_text, 4)) return;
    if (talk_copy_held(&t, &before, &err) && talk_copy_held(&t, &moved, &err)
        && talk_pop(&t, &turn, &err))
        talk_unpop(&t, &turn, &moved);
    CHECK(t.n == 4);
    check_same(&t.held, &before, "put back");
    talk_held_free(&before);
    close_talk(&t);
}

TEST(a_turn_that_is_put_back_leaves_what_was_held)
{
    put_back(goes_on);
    put_back(shortens);
}

/* Gives a talk as a file has it, without what it holds, that again. */
static void restore(const char *template_text, size_t n)
{
    talk t;
    lory_err err;
    if (!open_talk(&t, template_text, n)) return;
    talk_held before = t.held, copy = { 0 };
    CHECK(talk_copy_held(&t, &copy, &err));
    t.held = (talk_held){ 0 };
    CHECK(talk_restore(&t, &copy.ids, before.text.len));
    check_same(&t.held, &before, "restored");
    CHECK(say(&t, n, &err), "%s", err.text);
    talk on;
    if (open_talk(&on, template_text, n + 1)) check_same(&t.held, &on.held, "gone on");
    close_talk(&on);
    talk_held_free(&before);
    talk_held_free(&copy);
    close_talk(&t);
}

TEST(a_talk_from_a_file_holds_what_it_held)
{
    restore(goes_on, 1);
    restore(goes_on, 5);
    restore(shortens, 5);
}

/* Tokens that do not go with the turns. */
static bool is_refused(talk *t, size_t n_ids, size_t n_text)
{
    lory_tokens ids = { mem_new(n_ids, sizeof *ids.id), n_ids, n_ids };
    bool ok = talk_restore(t, &ids, n_text);
    lory_tokens_free(&ids);
    return !ok;
}

TEST(tokens_that_do_not_go_with_the_turns_are_refused)
{
    talk t;
    if (!open_talk(&t, goes_on, 3)) return;
    size_t n_text = t.held.text.len, n_last = t.turn[2].n_ids_before;
    CHECK(t.turn[1].has_before && t.turn[2].has_before && !t.turn[0].has_before);
    CHECK(is_refused(&t, n_last + 1, n_text + 1));
    CHECK(is_refused(&t, n_last - 1, n_text));
    CHECK(is_refused(&t, n_last + 1, 3));
    t.turn[1].n_text_before = t.turn[2].n_text_before + 1;
    CHECK(is_refused(&t, n_last + 1, n_text));
    t.turn[1].n_text_before = 1;
    CHECK(!is_refused(&t, n_last + 1, n_text));
    t.turn[0].has_before = true;
    CHECK(is_refused(&t, n_last + 1, n_text));
    close_talk(&t);
}

TEST(what_is_dropped_or_changed_is_read_anew)
{
    talk t;
    lory_err err;
    lory_tokens ids = { 0 };
    talk_turn turn;
    if (!open_talk(&t, goes_on, 5)) return;
    CHECK(talk_measure(&t, 2, &ids, &err), "%s", err.text);
    CHECK(talk_drop(&t, 2, &err) && t.n == 3, "%s", err.text);
    const char *text = t.held.text.data;
    CHECK(!strstr(text, "What is 1?") && strstr(text, "What is 2?"));
    CHECK(ids.n > t.held.ids.n / 2 && ids.n < t.held.ids.n * 2, "%zu %zu", ids.n, t.held.ids.n);
    CHECK(buf_puts(&t.system, "Be kind."));
    t.has_system = true;
    CHECK(talk_rebuild(&t, &err), "%s", err.text);
    CHECK(strstr(t.held.text.data, "system: Be kind."));
    CHECK(say(&t, 7, &err) && talk_pop(&t, &turn, &err), "%s", err.text);
    turn_free(&turn);
    CHECK(talk_pop(&t, &turn, &err) && t.n == 2, "%s", err.text);
    turn_free(&turn);
    CHECK(strstr(t.held.text.data, "Be kind.") && !strstr(t.held.text.data, "What is 4?"));
    CHECK(talk_drop(&t, 2, &err) && t.n == 0 && t.held.ids.n == 0, "%s", err.text);
    lory_tokens_free(&ids);
    close_talk(&t);
}

TEST(of_a_talk_that_has_not_begun_nothing_is_dropped)
{
    talk t;
    lory_err err;
    if (!open_talk(&t, goes_on, 0)) return;
    CHECK(talk_drop(&t, 0, &err) && t.n == 0, "%s", err.text);
    close_talk(&t);
}
