/* vocab_spm.c - reads SentencePiece models (tokenizer.model); see vocab_forms.h.
 * The file is a protocol buffer (sentencepiece_model.proto): pieces, trainer_spec, normalizer_spec.
 * Of the encoding we know what these use; fields that are not read are stepped over. */
#include "base/bytes.h"
#include "base/err.h"
#include "convert/vocab_forms.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 }; /* protobuf encoding */
enum { MODEL_PIECES = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { TRAINER_MODEL_TYPE = 3 };
enum { TYPE_UNIGRAM = 1, TYPE_BPE = 2 };
enum { NORM_CHARSMAP = 2, NORM_PREFIX = 3, NORM_REMOVE_SPACES = 4 };

/* A message: what is left of it, and where it is wrong. */
typedef struct {
    const unsigned char *at, *end;
    bool failed;
} message;

typedef struct {
    int number, wire;
    uint64_t value;         /* of a varint */
    const unsigned char *p; /* of bytes, and of fixed numbers */
    size_t n;
} field;

static uint64_t take_varint(message *m)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && m->at < m->end; shift += 7) {
        unsigned char b = *m->at++;
        v |= (uint64_t)(b & 127) << shift;
        if (b < 128) return v;
    }
    m->failed = true;
    return 0;
}

static bool next_field(message *m, field *f)
{
    if (m->at == m->end || m->failed) return false;
    uint64_t tag = take_varint(m);
    *f = (field){ .number = (int)(tag >> 3 & 0x1fffffff), .wire = (int)(tag & 7) };
    switch (f->wire) {
    case WIRE_VARINT: f->value = take_varint(m); break;
    case WIRE_64: f->n = 8; break;
    case WIRE_32: f->n = 4; break;
    case WIRE_BYTES: {
        uint64_t n = take_varint(m);
        m->failed |= n > (uint64_t)(m->end - m->at);
        f->n = m->failed ? 0 : (size_t)n;
        break;
    }
    default: m->failed = true;
    }
    m->failed |= f->n > (size_t)(m->end - m->at);
    if (m->failed) return false;
    f->p = m->at;
    m->at += f->n;
    return true;
}

static message inside(const field *f)
{
    return (message){ .at = f->p, .end = f->p + f->n, .failed = f->wire != WIRE_BYTES };
}

/* ---- what the messages say ----------------------------------------------------------------- */

static bool read_piece(hf_vocab *v, const field *piece, int64_t id, const char *path, lory_err *err)
{
    message m = inside(piece);
    field f;
    gguf_str text = { "", 0 };
    float score = 0.0f;
    uint64_t type = TOKEN_NORMAL; /* the numbers are GGUF's */
    while (next_field(&m, &f)) {
        if (f.number == PIECE_TEXT && f.wire == WIRE_BYTES)
            text = (gguf_str){ (const char *)f.p, f.n };
        if (f.number == PIECE_SCORE && f.wire == WIRE_32) score = bytes_f32(f.p);
        if (f.number == PIECE_TYPE && f.wire == WIRE_VARINT) type = f.value;
    }
    if (m.failed || type < TOKEN_NORMAL || type > TOKEN_BYTE || !isfinite(score))
        return err_set(err, LORY_E_FORMAT, "%s: piece %" PRId64 " is damaged", path, id);
    return hf_vocab_set(v, id, text, (token_type)type, score, err);
}

static uint64_t read_model_type(message m)
{
    uint64_t type = TYPE_UNIGRAM; /* when it is not said */
    field f;
    while (next_field(&m, &f))
        if (f.number == TRAINER_MODEL_TYPE && f.wire == WIRE_VARINT) type = f.value;
    return type;
}

static void read_normalizer(hf_vocab *v, message m, gguf_str *charsmap)
{
    field f;
    while (next_field(&m, &f)) {
        if (f.number == NORM_CHARSMAP && f.wire == WIRE_BYTES)
            *charsmap = (gguf_str){ (const char *)f.p, f.n };
        if (f.number == NORM_PREFIX && f.wire == WIRE_VARINT) v->add_space_prefix = f.value != 0;
        if (f.number == NORM_REMOVE_SPACES && f.wire == WIRE_VARINT)
            v->remove_extra_whitespaces = f.value != 0;
    }
}

static bool finish(hf_vocab *v, uint64_t model_type, gguf_str charsmap, const char *path,
                   lory_err *err)
{
    if (model_type != TYPE_UNIGRAM && model_type != TYPE_BPE)
        return err_set(err, LORY_E_UNSUPPORTED,
                       "%s: a SentencePiece model of type %" PRIu64
                       " is not known (known: unigram, "
                       "BPE)",
                       path, model_type);
    bool is_unigram = model_type == TYPE_UNIGRAM;
    v->model = is_unigram ? "t5" : "llama";
    v->pre = "default";
    v->has_scores = true;
    if (v->add_space_prefix == HF_UNSAID) v->add_space_prefix = 1;
    if (v->remove_extra_whitespaces == HF_UNSAID) v->remove_extra_whitespaces = 1;
    v->charsmap = (gguf_str){ arena_strndup(&v->arena, charsmap.n ? charsmap.s : "", charsmap.n),
                              charsmap.n };
    return v->charsmap.s || hf_vocab_no_memory(v, err);
}

bool read_sentencepiece(hf_vocab *v, const buf *bytes, const char *path, lory_err *err)
{
    const unsigned char *data = (const unsigned char *)(bytes->data ? bytes->data : "");
    message m = { .at = data, .end = data + bytes->len };
    uint64_t model_type = TYPE_UNIGRAM;
    gguf_str charsmap = { "", 0 };
    int64_t n_pieces = 0;
    field f;
    while (next_field(&m, &f)) {
        if (f.number == MODEL_PIECES && !read_piece(v, &f, n_pieces++, path, err)) return false;
        if (f.number == MODEL_TRAINER) model_type = read_model_type(inside(&f));
        if (f.number == MODEL_NORMALIZER) read_normalizer(v, inside(&f), &charsmap);
    }
    if (m.failed || n_pieces == 0)
        return err_set(err, LORY_E_FORMAT, "%s: is no SentencePiece model (wrong at byte %td)",
                       path, m.at - data);
    return finish(v, model_type, charsmap, path, err);
}
