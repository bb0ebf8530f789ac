/* session_state.c - see session_state.h. */
#include "engine/session_state.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include <string.h>

enum {
    OWNER_AT = 8,
    WORDS_AT = 16,
    N_WORDS = 9,
    HEAD_BYTES = WORDS_AT + 4 * N_WORDS,
    TAIL_BYTES = 8,
};
enum { W_TYPE, W_LAYER, W_KV_HEAD, W_HEAD_DIM, W_TOK, W_LONG, W_PREFIX, W_MASK, W_STATE };

static const unsigned char magic[8] = { 'L', 'O', 'R', 'Y', 'K', 'V', 0, 1 };

/* The first of n tokens whose rows of layer il are in the state. */
static size_t first_tok(const session *s, int il, size_t n)
{
    return (size_t)kv_first_seen(hparams_window(&s->m->hp, il), (int)n);
}

/* Rows of a head and token: a key, and a value where it is not part of the key. */
static size_t n_parts(const session *s)
{
    return s->kv.shape.is_shared ? 1 : 2;
}

/* What recurrent layers have after n tokens. */
static size_t recurrent_bytes(const session *s, size_t n)
{
    return n > 0 ? s->kv.states.cell_bytes : 0;
}

static size_t state_bytes(const session *s, size_t n)
{
    size_t n_bytes = 0; /* of keys */
    for (int il = 0; il < s->kv.shape.n_layer; il++)
        n_bytes += (n - first_tok(s, il, n)) * (size_t)kv_heads(&s->kv, il)
                   * s->kv.layer[il].row_bytes;
    return HEAD_BYTES + n * sizeof(int32_t) + n_parts(s) * n_bytes + recurrent_bytes(s, n)
           + TAIL_BYTES;
}

/* What of the first n tokens is read at once. */
static exec_prefix prefix_of(const session *s, size_t n)
{
    return n > 0 ? s->prefix : (exec_prefix){ 0 };
}

/* A prefix that is cut is evaluated again whatever follows, so that its rows are of no use. */
static bool holds(const session *s, size_t n)
{
    return n <= s->n && n <= (size_t)s->kv.seq[0].n_tok && n >= (size_t)prefix_of(s, n).n
           && kv_has_window(&s->kv, 0, (int)n) && kv_has_state(&s->kv, 0, (int)n);
}

size_t session_state_bytes(const session *s, size_t n)
{
    return holds(s, n) ? state_bytes(s, n) : 0;
}

/* The head of the state of the first n tokens. */
static void make_head(const session *s, size_t n, uint64_t owner, unsigned char head[HEAD_BYTES])
{
    const kv_shape *shape = &s->kv.shape;
    const exec_prefix prefix = prefix_of(s, n);
    const uint32_t words[N_WORDS] = {
        [W_TYPE] = (uint32_t)shape->type,
        [W_LAYER] = (uint32_t)shape->n_layer,
        [W_KV_HEAD] = (uint32_t)shape->n_kv_head,
        [W_HEAD_DIM] = (uint32_t)shape->head_dim,
        [W_TOK] = (uint32_t)n,
        [W_LONG] = s->e.long_rope,
        [W_PREFIX] = (uint32_t)prefix.n,
        [W_MASK] = (uint32_t)prefix.mask_pos,
        [W_STATE] = (uint32_t)s->kv.states.cell_bytes,
    };
    memcpy(head, magic, sizeof magic);
    bytes_put_u64(head + OWNER_AT, owner);
    for (int i = 0; i < N_WORDS; i++) bytes_put_u32(head + WORDS_AT + 4 * i, words[i]);
}

/* Rows of keys or values that lie together in the cache, in the order of the state. */
typedef struct {
    kv_place at; /* of the keys */
    size_t n_bytes;
} stretch;

static stretch stretch_at(const session *s, size_t n, int il, int ih, size_t pos)
{
    size_t n_row = n - pos < KV_CHUNK ? n - pos : KV_CHUNK;
    return (stretch){ { il, 0, (int)pos, ih }, n_row * s->kv.layer[il].row_bytes };
}

/* The first one of layer il, or of the next that has heads. */
static stretch first_stretch(const session *s, size_t n, int il)
{
    while (il < s->kv.shape.n_layer && kv_heads(&s->kv, il) == 0) il++;
    if (il == s->kv.shape.n_layer) return (stretch){ .n_bytes = 0 };
    return stretch_at(s, n, il, 0, first_tok(s, il, n));
}

static bool is_stretch(const stretch *st)
{
    return st->n_bytes > 0;
}

static stretch next_stretch(const session *s, size_t n, kv_place at)
{
    size_t pos = (size_t)at.pos + KV_CHUNK;
    if (pos < n) return stretch_at(s, n, at.il, at.head, pos);
    if (at.head + 1 == kv_heads(&s->kv, at.il)) return first_stretch(s, n, at.il + 1);
    return stretch_at(s, n, at.il, at.head + 1, first_tok(s, at.il, n));
}

/* ---- writing ----------------------------------------------------------------------------- */

typedef struct {
    hash64 h;
    lory_on_bytes put;
    void *user;
} writer;

static bool put_bytes(writer *w, const void *bytes, size_t n)
{
    hash64_put(&w->h, bytes, n);
    return w->put(w->user, bytes, n);
}

static bool put_rows(const session *s, size_t n, writer *w)
{
    bool ok = true;
    for (stretch st = first_stretch(s, n, 0); ok && is_stretch(&st);
         st = next_stretch(s, n, st.at)) {
        const unsigned char *keys = kv_chunk(&s->kv, st.at);
        const unsigned char *values = keys + s->kv.layer[st.at.il].value_at;
        ok = put_bytes(w, keys, st.n_bytes)
             && (n_parts(s) == 1 || put_bytes(w, values, st.n_bytes));
    }
    return ok;
}

static bool put_recurrent(const session *s, size_t n, writer *w)
{
    size_t n_bytes = recurrent_bytes(s, n);
    return n_bytes == 0
           || put_bytes(w, recur_whole(&s->kv.states, 0, (int)n, s->kv.seq[0].n_tok), n_bytes);
}

bool session_state_write(const session *s, size_t n, uint64_t owner, lory_on_bytes put, void *user,
                         lory_err *err)
{
    writer w = { .put = put, .user = user };
    unsigned char head[HEAD_BYTES], word[TAIL_BYTES];
    if (!holds(s, n))
        return err_set(err, LORY_E_ARGUMENT, "session: it holds %zu tokens, not all of %zu", s->n,
                       n);
    hash64_begin(&w.h, 0);
    make_head(s, n, owner, head);
    bool ok = put_bytes(&w, head, sizeof head);
    for (size_t i = 0; ok && i < n; i++) {
        bytes_put_u32(word, (uint32_t)s->id[i]);
        ok = put_bytes(&w, word, 4);
    }
    ok = ok && put_rows(s, n, &w) && put_recurrent(s, n, &w);
    bytes_put_u64(word, hash64_end(&w.h));
    return (ok && put(user, word, TAIL_BYTES))
           || err_set(err, LORY_E_INTERRUPTED, "stopped by the caller");
}

/* ---- reading ----------------------------------------------------------------------------- */

static uint32_t word_of(const unsigned char *state, int i)
{
    return bytes_u32(state + WORDS_AT + 4 * i);
}

static bool check_kind(const session *s, const unsigned char *state, uint64_t owner, lory_err *err)
{
    unsigned char own[HEAD_BYTES];
    make_head(s, 0, owner, own);
    if (memcmp(state, magic, sizeof magic - 1) != 0)
        return err_set(err, LORY_E_FORMAT, "KV cache: these bytes are none");
    if (state[7] != magic[7])
        return err_set(err, LORY_E_UNSUPPORTED, "KV cache: of version %d (known: %d)", state[7],
                       magic[7]);
    if (memcmp(state + OWNER_AT, own + OWNER_AT, 8) != 0)
        return err_set(err, LORY_E_ARGUMENT, "KV cache: of another model or other adapters");
    if (memcmp(state + WORDS_AT, own + WORDS_AT, 4 * W_TOK) != 0
        || word_of(state, W_STATE) != word_of(own, W_STATE))
        return err_set(err, LORY_E_ARGUMENT, "KV cache: of another storage type or shape");
    return true;
}

static bool check_state(const session *s, const unsigned char *state, size_t n_bytes, lory_err *err)
{
    size_t n = word_of(state, W_TOK);
    if (n > (size_t)s->n_ctx)
        return err_set(err, LORY_E_FULL, "KV cache: %zu tokens are more than the context's %d", n,
                       s->n_ctx);
    bool ok = n_bytes == state_bytes(s, n) && word_of(state, W_LONG) <= 1
              && word_of(state, W_PREFIX) <= n && word_of(state, W_MASK) <= n
              && bytes_u64(state + n_bytes - TAIL_BYTES)
                     == hash64_of(state, n_bytes - TAIL_BYTES, 0);
    for (size_t i = 0; ok && i < n; i++)
        ok = bytes_u32(state + HEAD_BYTES + 4 * i) < (uint32_t)s->m->hp.n_vocab;
    return ok || err_set(err, LORY_E_FORMAT, "KV cache: its bytes are not those that were written");
}

/* Returns what follows them. */
static const unsigned char *get_rows(session *s, size_t n, const unsigned char *from)
{
    for (stretch st = first_stretch(s, n, 0); is_stretch(&st); st = next_stretch(s, n, st.at)) {
        unsigned char *keys = kv_chunk_to_fill(&s->kv, st.at);
        unsigned char *values = keys + s->kv.layer[st.at.il].value_at;
        memcpy(keys, from, st.n_bytes);
        if (n_parts(s) > 1) memcpy(values, from + st.n_bytes, st.n_bytes);
        from += n_parts(s) * st.n_bytes;
    }
    return from;
}

bool session_state_read(session *s, const void *bytes, size_t n_bytes, uint64_t owner,
                        lory_err *err)
{
    const unsigned char *state = bytes;
    if (n_bytes < HEAD_BYTES + TAIL_BYTES)
        return err_set(err, LORY_E_FORMAT, "KV cache: cut short (found %zu bytes)", n_bytes);
    if (!check_kind(s, state, owner, err) || !check_state(s, state, n_bytes, err)) return false;
    size_t n = word_of(state, W_TOK);
    session_truncate(s, 0);
    s->logits = NULL;
    if (kv_reserve(&s->kv, 0, (int)n, err) < 0) return false;
    for (size_t i = 0; i < n; i++)
        s->id[i] = (lory_token)bytes_u32(state + HEAD_BYTES + 4 * i);
    const unsigned char *recurrent = get_rows(s, n, state + HEAD_BYTES + 4 * n);
    if (recurrent_bytes(s, n) > 0)
        memcpy(recur_to_fill(&s->kv.states, 0), recurrent, recurrent_bytes(s, n));
    kv_forget_before_window(&s->kv, 0);
    s->n = n;
    s->e.long_rope = word_of(state, W_LONG);
    s->prefix = (exec_prefix){ .n = (int)word_of(state, W_PREFIX),
                               .mask_pos = (int)word_of(state, W_MASK) };
    return true;
}
