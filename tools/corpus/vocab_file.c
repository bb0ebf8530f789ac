/* vocab_file.c - see vocab_file.h. Ids: <unk> <s> </s>, the 256 bytes, the control tokens of chats,
 * merged pieces in the order they were made, characters by frequency. Scores are minus the rank,
 * so that token/tok_spm.c merges in the order of the learning. */
#include "vocab_file.h"
#include "base/err.h"
#include "base/mem.h"
#include "gguf/gguf_write.h"
#include "token/vocab.h"
#include <stdio.h>
#include <string.h>

#define BLANK "\xE2\x96\x81" /* U+2581, which stands for a blank in pieces */
enum { N_BYTES = 256 };

/* The first three are ids 0, 1, 2; the control tokens of chats come after the bytes. */
static const char *const specials[] = { "<unk>",    "<s>",           "</s>",   "<|system|>",
                                        "<|user|>", "<|assistant|>", "<|end|>" };
enum { ID_UNK, ID_BOS, ID_EOS, ID_SYSTEM, ID_USER, ID_ASSISTANT, ID_END, N_SPECIALS };
enum { N_PLAIN_SPECIALS = ID_EOS + 1 };
_Static_assert(sizeof specials / sizeof specials[0] == N_SPECIALS, "one text an id");

static const char chat_template[] =
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('roles are system, user and assistant') }}{% endif %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] | trim + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

_Static_assert(VOCAB_FILE_EXTRA == N_BYTES + N_SPECIALS, "all that is no symbol");

typedef struct {
    buf text;      /* of all tokens */
    size_t *start; /* [n + 1] */
    gguf_str *texts;
    float *score;
    int32_t *type;
    size_t n;
} token_table;

static void put_token(token_table *v, token_type type, const char *s, size_t n)
{
    v->type[v->n] = type;
    v->start[v->n] = v->text.len;
    for (size_t i = 0; i < n; i++)
        if (s[i] == ' ' && type == TOKEN_NORMAL)
            buf_puts(&v->text, BLANK);
        else
            buf_putc(&v->text, s[i]);
    v->start[++v->n] = v->text.len;
}

static void put_pieces(token_table *v, const bpe *b, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        gguf_str s = strings_at(&b->symbols, i);
        v->score[v->n] = -(float)(v->n - N_BYTES - N_SPECIALS);
        put_token(v, TOKEN_NORMAL, s.s, s.n);
    }
}

/* Every token in the order of its id. */
static void put_tokens(token_table *v, const bpe *b)
{
    for (int i = 0; i < N_PLAIN_SPECIALS; i++)
        put_token(v, i == ID_UNK ? TOKEN_UNKNOWN : TOKEN_CONTROL, specials[i], strlen(specials[i]));
    for (int i = 0; i < N_BYTES; i++) {
        char s[8];
        put_token(v, TOKEN_BYTE, s, (size_t)snprintf(s, sizeof s, "<0x%02X>", (unsigned)i & 255));
    }
    for (int i = N_PLAIN_SPECIALS; i < N_SPECIALS; i++)
        put_token(v, TOKEN_CONTROL, specials[i], strlen(specials[i]));
    put_pieces(v, b, b->n_alphabet, b->symbols.n);
    put_pieces(v, b, 0, b->n_alphabet);
    for (size_t i = 0; !v->text.failed && i < v->n; i++)
        v->texts[i] = (gguf_str){ v->text.data + v->start[i], v->start[i + 1] - v->start[i] };
}

/* The piece that every line <|endoftext|> begins with, and nothing else in English text: a model
 * that has seen such lines between texts writes it where a text is over. 0: there is none. */
static uint32_t find_marker(const bpe *b)
{
    int64_t i = strings_find(&b->symbols, "<|", 2), n_alphabet = (int64_t)b->n_alphabet;
    return i < n_alphabet ? 0 : (uint32_t)(N_SPECIALS + N_BYTES + i - n_alphabet);
}

static void put_keys(gguf_writer *w, const token_table *v, uint32_t marker)
{
    gguf_put_str(w, "general.architecture", "llama");
    gguf_put_str(w, "tokenizer.ggml.model", "llama");
    gguf_put_str(w, "tokenizer.ggml.pre", "default");
    gguf_put_strs(w, "tokenizer.ggml.tokens", v->texts, v->n);
    gguf_put_f32s(w, "tokenizer.ggml.scores", v->score, v->n);
    gguf_put_i32s(w, "tokenizer.ggml.token_type", v->type, v->n);
    gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", ID_UNK);
    gguf_put_u32(w, "tokenizer.ggml.bos_token_id", ID_BOS);
    gguf_put_u32(w, "tokenizer.ggml.eos_token_id", ID_EOS);
    gguf_put_u32(w, "tokenizer.ggml.eot_token_id", N_BYTES + ID_END);
    if (marker) gguf_put_u32(w, "tokenizer.ggml.eom_token_id", marker);
    gguf_put_bool(w, "tokenizer.ggml.add_bos_token", true);
    gguf_put_bool(w, "tokenizer.ggml.add_eos_token", false);
    gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", true);
    gguf_put_bool(w, "tokenizer.ggml.remove_extra_whitespaces", false);
    gguf_put_str(w, "tokenizer.chat_template", chat_template);
}

bool vocab_file_write(const bpe *b, const char *path, lory_err *err)
{
    size_t n = N_SPECIALS + N_BYTES + b->symbols.n;
    token_table v = { .start = mem_new(n + 1, sizeof *v.start),
                      .texts = mem_new(n, sizeof *v.texts),
                      .score = mem_new(n, sizeof *v.score),
                      .type = mem_new(n, sizeof *v.type) };
    gguf_writer w = { 0 };
    bool ok = v.start && v.texts && v.score && v.type;
    if (ok) put_tokens(&v, b);
    if (!ok || v.text.failed) ok = err_set(err, LORY_E_MEMORY, "%s: out of memory", path);
    ok = ok && gguf_create(&w, path, err);
    if (ok) {
        put_keys(&w, &v, find_marker(b));
        ok = gguf_begin_data(&w, err) && gguf_commit(&w, err);
    }
    gguf_abandon(&w);
    buf_free(&v.text);
    mem_free(v.start);
    mem_free(v.texts);
    mem_free(v.score);
    mem_free(v.type);
    return ok;
}
