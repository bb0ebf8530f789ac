/* test_recur.c - states of recurrent layers beside the pages of a cache: whatever is kept, shared,
 * cut back and lost, a sequence goes on from the state that its tokens make. */
#include "engine/kv.h"
#include "test.h"
#include <stdlib.h>

enum { N_SEQ = 40, N_LIVE = 3, MAX_TOK = 200, N_STATE = 20, N_RUN = 20000 };

typedef struct {
    kv_cache kv;
    hparams hp;
    int token[N_SEQ][MAX_TOK];
    uint32_t seed;
    int n_shared, n_cut, n_lost; /* lost: cut back since others needed the cell */
} bench;

static int below(bench *b, int n)
{
    b->seed = b->seed * 1664525u + 1013904223u;
    return (int)((b->seed >> 8) % (uint32_t)n);
}

/* What a token makes of a state. */
static float next(float state, int token, int i)
{
    return state * 0.5f + (float)((token + i) % 97);
}

/* What all tokens make of it. */
static void expect(const bench *b, int seq, int n_tok, float *state)
{
    memset(state, 0, N_STATE * sizeof *state);
    for (int t = 0; t < n_tok; t++)
        for (int i = 0; i < N_STATE; i++) state[i] = next(state[i], b->token[seq][t], i);
}

/* What the ops do with the tokens [first, end). */
static void run(bench *b, int seq, int first, int end)
{
    const recur *r = &b->kv.states;
    float *state = recur_state(r, seq, 1), want[N_STATE];
    for (int pos = first; pos < end; pos++) {
        float *kept = recur_to_keep(r, seq, pos, 1);
        if (pos == 0) memset(state, 0, N_STATE * sizeof *state);
        if (kept) memcpy(kept, state, N_STATE * sizeof *state);
        for (int i = 0; i < N_STATE; i++) state[i] = next(state[i], b->token[seq][pos], i);
    }
    expect(b, seq, end, want);
    CHECK_SAME(state, want, sizeof want, "sequence %d, tokens %d to %d", seq, first, end);
}

static int n_live(const bench *b)
{
    int n = 0;
    for (int i = 0; i < N_SEQ; i++) n += b->kv.states.seq[i].live >= 0;
    return n;
}

static int n_tok_of_all(const bench *b)
{
    int n = 0;
    for (int i = 0; i < N_SEQ; i++) n += b->kv.seq[i].n_tok;
    return n;
}

static void append(bench *b, int seq)
{
    lory_err err;
    int n_old = b->kv.seq[seq].n_tok, n = 1 + below(b, 40);
    bool is_live = b->kv.states.seq[seq].live >= 0;
    int n_all = n_tok_of_all(b);
    if (n_old + n > MAX_TOK || (!is_live && n_live(b) == N_LIVE)) return;
    if (below(b, 3) == 0) kv_keep_state(&b->kv, seq, n_old);
    REQUIRE(kv_reserve(&b->kv, seq, n, &err) == n_old, "%s", err.text);
    for (int i = n_old; i < n_old + n; i++) b->token[seq][i] = below(b, 1000);
    for (int i = below(b, 3); i > 0 && n > 1; i--)
        kv_keep_state(&b->kv, seq, n_old + 1 + below(b, n - 1));
    run(b, seq, n_old, n_old + n);
    b->n_lost += n_tok_of_all(b) < n_all + n;
}

static void share(bench *b, int from, int to)
{
    int n = b->kv.seq[from].n_tok > 0 ? 1 + below(b, b->kv.seq[from].n_tok) : 0;
    n = kv_shareable(&b->kv, from, n);
    if (from == to || b->kv.seq[to].n_tok > 0 || n == 0) return;
    kv_share(&b->kv, from, to, n);
    memcpy(b->token[to], b->token[from], (size_t)n * sizeof(int));
    b->n_shared++;
}

static void cut(bench *b, int seq)
{
    int n_old = b->kv.seq[seq].n_tok, n = n_old > 0 ? below(b, n_old) : 0;
    kv_truncate(&b->kv, seq, n);
    CHECK(b->kv.seq[seq].n_tok <= n);
    b->n_cut += b->kv.seq[seq].n_tok > 0;
}

/* Every sequence has the state of its tokens, or none yet. */
static void check_all(const bench *b)
{
    float want[N_STATE];
    for (int i = 0; i < N_SEQ; i++) {
        int n = b->kv.seq[i].n_tok;
        const float *state = n > 0 ? recur_whole(&b->kv.states, i, n, n) : NULL;
        expect(b, i, n, want);
        CHECK((n == 0) == !state, "sequence %d of %d tokens", i, n);
        if (state)
            CHECK_SAME(state + b->kv.states.layer_at[1], want, sizeof want, "sequence %d", i);
    }
}

static void open_bench(bench *b)
{
    lory_err err;
    *b = (bench){ .seed = 7 };
    b->hp.layer[0] = (hparams_layer){ .n_head = 1, .n_kv_head = 1, .head_dim = 32, .value_dim = 32,
                                      .kv_dim = 32, .kv_value_dim = 32 };
    b->hp.layer[1] = (hparams_layer){ .n_state = N_STATE, .kv_layer = 1 };
    kv_shape shape = { .n_layer = 2, .n_kv_head = 1, .head_dim = 32, .n_ctx = N_SEQ * 2 * MAX_TOK,
                       .n_seq = N_SEQ, .type = QT_F32, .n_seq_ctx = MAX_TOK, .hp = &b->hp,
                       .n_live = N_LIVE };
    REQUIRE(kv_open(&b->kv, &shape, &err), "%s", err.text);
}

TEST(states_are_those_of_their_tokens_whatever_is_kept_shared_and_cut_back)
{
    bench *b = malloc(sizeof *b);
    REQUIRE(b);
    open_bench(b);
    for (int i = 0; i < N_RUN; i += test_stride(4)) {
        int seq = below(b, N_SEQ);
        switch (below(b, 8)) {
        case 0: cut(b, seq); break;
        case 1: share(b, below(b, N_SEQ), seq); break;
        case 2: kv_truncate(&b->kv, seq, 0); break;
        case 3: kv_rest(&b->kv, seq); break;
        default: append(b, seq); break;
        }
        if (n_live(b) == N_LIVE) kv_rest(&b->kv, below(b, N_SEQ));
        if (i % 16 == 0) check_all(b);
    }
    CHECK(b->n_shared > 20 && b->n_cut > 20 && b->n_lost > 20, "%d, %d, %d", b->n_shared, b->n_cut,
          b->n_lost);
    kv_close(&b->kv);
    free(b);
}

TEST(one_sequence_keeps_states_that_are_dense_at_its_end)
{
    bench *b = malloc(sizeof *b);
    lory_err err;
    REQUIRE(b);
    open_bench(b);
    for (int pos = 0; pos < MAX_TOK; pos++) {
        kv_keep_state(&b->kv, 0, pos);
        REQUIRE(kv_reserve(&b->kv, 0, 1, &err) == pos, "%s", err.text);
        b->token[0][pos] = pos;
        run(b, 0, pos, pos + 1);
    }
    const recur_seq *s = &b->kv.states.seq[0];
    CHECK(s->n_kept == RECUR_MAX_KEPT, "%d", s->n_kept);
    for (int i = 1, last = 0; i < s->n_kept; i++) {
        int pos = b->kv.states.cell[s->kept[i]].pos, left = MAX_TOK - pos;
        CHECK(pos > last && pos - last <= 2 * left + 2, "%d after %d", pos, last);
        last = pos;
    }
    CHECK(recur_last_kept(&b->kv.states, 0, MAX_TOK) == MAX_TOK - 1);
    kv_close(&b->kv);
    free(b);
}
