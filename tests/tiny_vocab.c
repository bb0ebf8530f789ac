/* tiny_vocab.c - see tiny_vocab.h. */
#include "tiny_vocab.h"
#include <stdio.h>
#include <string.h>

#define B        "\xE2\x96\x81" /* U+2581, the blank of SentencePiece */
#define G        "\xC4\xA0"     /* U+0120, the blank of byte-level BPE */
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

typedef struct {
    const char *text;
    float score;
    int32_t type;
} token;

/* clang-format off */
/* 0.. as listed; SPM then has the 256 byte pieces. */
static const token spm_tokens[] = {
    { "<unk>", 0, 2 }, { "<s>", 0, 3 }, { "</s>", 0, 3 },         /* 0 1 2 */
    { B, -10, 1 }, { "a", -11, 1 }, { "b", -12, 1 }, { "c", -13, 1 }, /* 3 4 5 6 */
    { "ab", -2, 1 }, { "bc", -1, 1 }, { "aa", -3, 1 },             /* 7 8 9 */
    { B "a", -4, 1 }, { B "ab", -5, 1 }, { B B, -6, 1 },           /* 10 11 12 */
    { "<u>", 0, 4 }, { "x", -20, 5 }, { "\xC3\xA9", -21, 1 },      /* 13 14 15 */
};
static const token unigram_tokens[] = {
    { "<pad>", 0, 3 }, { "</s>", 0, 3 }, { "<unk>", 0, 2 },         /* 0 1 2 */
    { B, -2, 1 }, { "a", -3, 1 }, { "b", -3, 1 }, { "ab", -4, 1 },  /* 3 4 5 6 */
    { B "a", -4.5f, 1 }, { "abc", -9, 1 }, { "c", -2.5f, 1 },       /* 7 8 9 */
    { "<u>", 0, 4 },                                               /* 10 */
};
/* Then the 256 byte pieces. */
static const token gemma4_tokens[] = {
    { "<pad>", 0, 3 }, { "<eos>", 0, 3 }, { "<bos>", 0, 3 }, { "<unk>", 0, 2 }, /* 0 1 2 3 */
    { B, 0, 1 }, { "a", 0, 1 }, { "b", 0, 1 }, { "ab", 0, 1 }, { B "a", 0, 1 }, /* 4 .. 8 */
    { "\n", 0, 1 }, { "\n\n", 0, 1 }, { "<u>", 0, 4 },                       /* 9 10 11 */
};
static const char *const gemma4_merges[] = { "a b", B " a", "\n \n" };
static const token plamo2_tokens[] = {
    { "<unk>", 0, 2 }, { "<s>", 0, 3 }, { "</s>", 0, 3 }, { "<pad>", 0, 3 },  /* 0 1 2 3 */
    { "a", -1, 1 }, { "b", -1.5f, 1 }, { "ab", -2.5f, 1 }, { "abc", -9, 1 }, /* 4 5 6 7 */
    { "c", -1, 1 }, { " a", -2, 1 }, { "d", -3000, 1 }, { "<u>", 0, 4 },     /* 8 .. 11 */
};
static const char *const wpm_tokens[] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", B "un", "aff", "able", B "hello", B ",", /* 0 .. 8 */
    B "\xE4\xB8\xAD", "s",                                                      /* 9 10 */
};
static const int32_t wpm_types[] = { 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1 };
static const char *const rwkv_tokens[] = {
    "<s>", "a", "b", "ab", "abc", "\\n", "\\\\", "\\'", "\\xe2", "\\xe2\\x82", "\\x82", "\\xac",
};
static const int32_t rwkv_types[] = { 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
static const char *const gpt1_tokens[] = {
    "<unk>", "h", "e", "h</w>", "e</w>", "he</w>", "he", ",</w>", /* 0 .. 7 */
};
static const int32_t gpt1_types[] = { 2, 1, 1, 1, 1, 1, 1, 1 };
static const char *const gpt1_merges[] = { "h e</w>", "h e" };

/* After the 256 bytes, in the order of their values. */
static const token bpe_tokens[] = {
    { "he", 0, 1 }, { "ll", 0, 1 }, { "hell", 0, 1 }, { "hello", 0, 1 }, /* 256 .. 259 */
    { G "w", 0, 1 }, { "lo", 0, 1 }, { "aa", 0, 1 },                     /* 260 261 262 */
    { "<|end|>", 0, 3 }, { "<|endless|>", 0, 3 }, { "<u>", 0, 4 },       /* 263 264 265 */
    { "\xC3\x83\xC2\xA9", 0, 1 }, { "world", 0, 1 },                     /* 266 (e acute) 267 */
};
/* "lo" is ranked behind "ll"; "world" is made by no merge. */
static const char *const bpe_merges[] = {
    "h e", "l l", "l o", "he ll", "hell o", G " w", "a a", "\xC3\x83 \xC2\xA9",
};

/* clang-format on */

static void put_tokens(tiny_gguf *g, const char *const *texts, const int32_t *types, size_t n)
{
    tiny_put_strs(g, "tokenizer.ggml.tokens", texts, n);
    tiny_put_i32s(g, "tokenizer.ggml.token_type", types, n);
}

/* A list of tokens with scores, and the 256 byte pieces if has_bytes. */
static void put_scored(tiny_gguf *g, const token *list, size_t n, bool has_bytes)
{
    static char bytes[256][8];
    const char *texts[300];
    int32_t types[300];
    float scores[300];
    for (size_t i = 0; i < n; i++) {
        texts[i] = list[i].text;
        types[i] = list[i].type;
        scores[i] = list[i].score;
    }
    for (size_t c = 0; has_bytes && c < 256; c++, n++) {
        snprintf(bytes[c], sizeof bytes[c], "<0x%02X>", (unsigned)c);
        texts[n] = bytes[c];
        types[n] = TOKEN_BYTE;
        scores[n] = 0;
    }
    put_tokens(g, texts, types, n);
    tiny_put_f32s(g, "tokenizer.ggml.scores", scores, n);
}

/* The character of GPT-2 for a byte: printable ones are themselves. */
static void char_of_byte(unsigned c, char out[4])
{
    static const char printable[] =
        "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]"
        "^_`abcdefghijklmnopqrstuvwxyz{|}~";
    unsigned cp = c;
    if ((c < 0x80 && !memchr(printable, (int)c, sizeof printable - 1)) || (c > 0x7E && c < 0xA1)
        || c == 0xAD)
        cp = 0x100 + (c <= 32 ? c : c == 0x7F ? 33 : c == 0xAD ? 67 : c - 0x80 + 34);
    memset(out, 0, 4);
    if (cp < 0x80)
        out[0] = (char)cp;
    else
        out[0] = (char)(0xC0 | cp >> 6), out[1] = (char)(0x80 | (cp & 0x3F));
}

static void put_bpe(tiny_gguf *g, const char *pre)
{
    static char bytes[256][4];
    const char *texts[300];
    int32_t types[300];
    size_t n = 256;
    for (unsigned c = 0; c < 256; c++) {
        char_of_byte(c, bytes[c]);
        texts[c] = bytes[c];
        types[c] = TOKEN_NORMAL;
    }
    for (size_t i = 0; i < COUNT(bpe_tokens); i++, n++) {
        texts[n] = bpe_tokens[i].text;
        types[n] = bpe_tokens[i].type;
    }
    put_tokens(g, texts, types, n);
    tiny_put_strs(g, "tokenizer.ggml.merges", bpe_merges, COUNT(bpe_merges));
    tiny_put_str(g, "tokenizer.ggml.pre", pre);
    tiny_put_u32(g, "tokenizer.ggml.eos_token_id", 263);
    tiny_put_u32(g, "tokenizer.ggml.bos_token_id", 264);
}

static void put_wpm(tiny_gguf *g)
{
    put_tokens(g, wpm_tokens, wpm_types, COUNT(wpm_types));
    tiny_put_u32(g, "tokenizer.ggml.unknown_token_id", 1);
    tiny_put_u32(g, "tokenizer.ggml.cls_token_id", 2);
    tiny_put_u32(g, "tokenizer.ggml.seperator_token_id", 3);
}

void tiny_vocab_keys(tiny_gguf *g, tiny_kind kind)
{
    static const char *const models[] = { "llama", "llama", "gpt2",       "gpt2",   "gpt2",  "t5",
                                          "bert",  "rwkv",  "openai-gpt", "gemma4", "plamo2" };
    tiny_put_str(g, "tokenizer.ggml.model", models[kind]);
    switch (kind) {
    case TINY_SPM: put_scored(g, spm_tokens, COUNT(spm_tokens), true); return;
    case TINY_SPM_PLAIN:
        put_scored(g, spm_tokens, COUNT(spm_tokens), false);
        tiny_put_bool(g, "tokenizer.ggml.add_space_prefix", false);
        return;
    case TINY_BPE: put_bpe(g, "gpt-2"); return;
    case TINY_BPE_NFC: put_bpe(g, "qwen2"); return;
    case TINY_LLAMA3: put_bpe(g, "llama-bpe"); return;
    case TINY_UNIGRAM: put_scored(g, unigram_tokens, COUNT(unigram_tokens), false); return;
    case TINY_WPM: put_wpm(g); return;
    case TINY_RWKV: put_tokens(g, rwkv_tokens, rwkv_types, COUNT(rwkv_types)); return;
    case TINY_GPT1:
        put_tokens(g, gpt1_tokens, gpt1_types, COUNT(gpt1_types));
        tiny_put_strs(g, "tokenizer.ggml.merges", gpt1_merges, COUNT(gpt1_merges));
        return;
    case TINY_GEMMA4:
        put_scored(g, gemma4_tokens, COUNT(gemma4_tokens), true);
        tiny_put_strs(g, "tokenizer.ggml.merges", gemma4_merges, COUNT(gemma4_merges));
        tiny_put_u32(g, "tokenizer.ggml.bos_token_id", 2);
        tiny_put_bool(g, "tokenizer.ggml.add_bos_token", false);
        return;
    case TINY_PLAMO2: put_scored(g, plamo2_tokens, COUNT(plamo2_tokens), true); return;
    case TINY_COUNT: return;
    }
}

bool tiny_vocab_open(tiny_vocab *v, tiny_kind kind, lory_err *err)
{
    *v = (tiny_vocab){ 0 };
    tiny_vocab_keys(&v->file, kind);
    tiny_finish(&v->file);
    return gguf_open_bytes(&v->g, v->file.image.data, v->file.image.len, "tiny", err)
           && tokenizer_init(&v->t, &v->g, err);
}

void tiny_vocab_close(tiny_vocab *v)
{
    tokenizer_free(&v->t);
    gguf_close(&v->g);
    tiny_free(&v->file);
}
