/* test_hf_vocab.c - the forms that vocabularies have in Hugging Face folders, small ones made here;
 * what becomes of their special tokens, templates and advice on sampling. */
#include "base/mem.h"
#include "convert/vocab_forms.h"
#include "hf_folder.h"
#include "token/tokenizer.h"
#include <math.h>

enum { N_VOCAB = 12 };

/* A model that is its embedding only: nothing else matters here. */
static hf_test begin_class(const char *class_name, const char *name, const char *more)
{
    char text[800];
    hf_test t = hf_begin(name);
    snprintf(text, sizeof text,
             "{\"architectures\":[\"%s\"],\"hidden_size\":4,\"num_hidden_layers\":1,"
             "\"num_attention_heads\":1,\"intermediate_size\":4,\"max_position_embeddings\":64,"
             "\"rms_norm_eps\":1e-5,\"vocab_size\":12%s}",
             class_name, more);
    hf_text(&t, "config.json", text);
    hf_add(&t, "model.embed_tokens.weight", N_VOCAB, 4, 0.0f);
    hf_weights(&t, "model.safetensors");
    return t;
}

static hf_test begin(const char *name, const char *more)
{
    return begin_class("LlamaForCausalLM", name, more);
}

static bool make(const hf_test *t, gguf *g)
{
    lory_err err = { 0 };
    buf notes = { 0 };
    bool ok = hf_make(t, RETYPE_KEEP, g, &notes, &err);
    CHECK(ok, "%s", err.text);
    buf_free(&notes);
    return ok;
}

static void check_str(const gguf *g, const char *key, const char *want)
{
    gguf_str s = { "(none)", 6 };
    lory_err err;
    CHECK(gguf_get_str(g, key, &s, &err) && gguf_str_is(s, want), "%s is %.*s, want %s", key,
          (int)s.n, s.s, want);
}

/* -1: the key is absent. */
static void check_int(const gguf *g, const char *key, int64_t want)
{
    const gguf_kv *kv = gguf_find(g, key);
    int64_t got = kv ? gguf_int_at(kv, 0) : -1;
    CHECK(got == want, "%s is %d, want %d", key, (int)got, (int)want);
}

static void check_float(const gguf *g, const char *key, double want)
{
    const gguf_kv *kv = gguf_find(g, key);
    CHECK(kv && fabs(gguf_float_at(kv, 0) - want) < 1e-6, "%s", key);
}

/* The strings of an array, with '|' between; numbers of types as digits. */
static void check_list(const gguf *g, const char *key, const char *want)
{
    buf b = { 0 };
    gguf_str s;
    const gguf_kv *kv = gguf_find(g, key);
    REQUIRE(kv, "no %s", key);
    if (kv->elem == GGUF_STR)
        for (gguf_str_iter it = gguf_strings(kv); gguf_next(&it, &s);)
            buf_printf(&b, "%s%.*s", b.len ? "|" : "", (int)s.n, s.s);
    else
        for (uint64_t i = 0; i < kv->n; i++) buf_printf(&b, "%d", (int)gguf_int_at(kv, i));
    CHECK_STR(b.data, want);
    buf_free(&b);
}

/* ---- tokenizer.json -------------------------------------------------------------------------- */

#define ADDED                                                                                      \
    "\"added_tokens\":[{\"id\":5,\"content\":\"<|end|>\",\"special\":false},"                      \
    "{\"id\":6,\"content\":\"<s>\",\"special\":true},{\"id\":7,\"content\":\"fun\",\"special\":"   \
    "false}]"
#define BYTE_LEVEL "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
#define VOCAB      "\"vocab\":{\"a\":0,\"b\":1,\"\u0120\":2,\"ab\":3,\"\u0120ab\":4}"

TEST(byte_level_tokenizers_keep_their_tokens_and_merges)
{
    static const char *const merges[] = { "[\"a b\",\"\u0120 ab\"]",
                                          "[[\"a\",\"b\"],[\"\u0120\",\"ab\"]]" };
    char text[1000];
    for (int i = 0; i < 2; i++) {
        gguf g;
        hf_test t = begin(i ? "pairs" : "strings", "");
        snprintf(text, sizeof text,
                 "{" ADDED "," BYTE_LEVEL ",\"model\":{\"type\":\"BPE\"," VOCAB ",\"merges\":%s}}",
                 merges[i]);
        hf_text(&t, "tokenizer.json", text);
        if (!make(&t, &g)) return;
        check_str(&g, "tokenizer.ggml.model", "gpt2");
        check_str(&g, "tokenizer.ggml.pre", "gpt-2");
        check_list(&g, "tokenizer.ggml.tokens",
                   "a|b|\u0120|ab|\u0120ab|<|end|>|<s>|fun|[PAD8]|[PAD9]|[PAD10]|[PAD11]");
        check_list(&g, "tokenizer.ggml.token_type", "111113345555");
        check_list(&g, "tokenizer.ggml.merges", "a b|\u0120 ab");
        check_int(&g, "tokenizer.ggml.bos_token_id", -1);
        check_int(&g, "tokenizer.ggml.add_bos_token", -1);
        gguf_close(&g);
    }
}

static void refuse_json(const char *name, const char *text, const char *want)
{
    hf_test t = begin(name, "");
    hf_text(&t, "tokenizer.json", text);
    hf_refused(&t, want);
}

TEST(unknown_tokenizers_are_named)
{
    refuse_json(
        "regex",
        "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\d+\\n\"},"
        "\"behavior\":\"Isolated\"},\"decoder\":{\"type\":\"ByteLevel\"},"
        "\"model\":{\"type\":\"BPE\"," VOCAB ",\"merges\":[]}}",
        "/tokenizer.json: the way text is cut into words is not known (step 1 is '\\d+\\n')");
    refuse_json(
        "step",
        "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Whitespace\"},"
        "{\"type\":\"ByteLevel\"}]},\"model\":{\"type\":\"BPE\"," VOCAB ",\"merges\":[]}}",
        "/tokenizer.json: the way text is cut into words is not known (step 1 is "
        "'Whitespace')");
    refuse_json(
        "kind", "{\"model\":{\"type\":\"WordLevel\"," VOCAB "}}",
        "/tokenizer.json: a model of type 'WordLevel' is not known (known: BPE of bytes, BPE "
        "with byte fallback, Unigram)");
    refuse_json("merge",
                "{" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\"," VOCAB ",\"merges\":[\"ab\"]}}",
                "/tokenizer.json: merge 1 is no pair of tokens");
    refuse_json("id", "{" BYTE_LEVEL ",\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}",
                "/tokenizer.json: token 'a' has no id");
}

TEST(the_names_of_expressions_go_by_normal_form_and_merges)
{
    static const char llama3[] =
        "{\"normalizer\":%s,\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
        "\"Split\","
        "\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{"
        "L}+|\\\\p{N}"
        "%s| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},"
        "\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\",\"use_regex\":false}]},"
        "\"model\":{\"ignore_merges\":%s}}";
    static const char *const cases[][4] = {
        { "null", "{1,3}", "true", "llama-bpe" },         { "null", "{1,3}", "false", "dbrx" },
        { "{\"type\":\"NFC\"}", "", "false", "qwen2" },   { "null", "", "false", "hunyuan" },
        { "{\"type\":\"NFC\"}", "{1,3}", "false", NULL },
    };
    char text[1000];
    for (int i = 0; i < 5; i++) {
        json_doc d;
        lory_err err = { 0 };
        snprintf(text, sizeof text, llama3, cases[i][0], cases[i][1], cases[i][2]);
        REQUIRE(json_read(&d, text, strlen(text), "x", &err), "%s", err.text);
        const char *name = pre_name(d.root, "x", &err);
        CHECK(name == cases[i][3] || (name && cases[i][3] && strcmp(name, cases[i][3]) == 0),
              "case %d: %s", i, name ? name : "none");
        if (!name) CHECK(strstr(err.text, "with normal form C (step 1 is '(?i:'s"), "%s", err.text);
        json_close(&d);
    }
}

#define SPLIT(regex, more) "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex "\"}," more "}"
#define ISOLATED           "\"behavior\":\"Isolated\""
#define AFTER              "\"behavior\":\"MergedWithNext\""
#define REMOVED            "\"behavior\":\"Removed\",\"invert\":true"
#define SUFFIX             "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORD               "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}"
#define REST                                                                                       \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*"                                                    \
    "|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define REST_LFM                                                                                   \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]|\\\\s+(?!\\\\S)|\\\\s"
#define NEWLINES "(?:\\\\r?\\\\n)+(?!\\\\r?\\\\n)"
#define QWEN2    SUFFIX "|" WORD REST
#define DEEPSEEK3                                                                                  \
    "[!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~][A-Za-z]+|"                           \
    "[^\\\\r\\\\n\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{L}\\\\p{M}]+| ?[\\\\p{P}\\\\p{S}]+[\\\\r\\\\n]*"\
    "|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"

TEST(expressions_in_steps_have_names)
{
    static const char *const cases[][3] = {
        /* steps, ignore_merges, name */
        { SPLIT(NEWLINES, AFTER) "," SPLIT(QWEN2, ISOLATED), "false", "laguna" },
        { SPLIT(NEWLINES, ISOLATED) "," SPLIT(QWEN2, ISOLATED), "false", NULL },
        { SPLIT("\\\\p{N}{1,3}", ISOLATED) "," SPLIT(SUFFIX "|" WORD "+" REST, ISOLATED), "true",
          "minicpm5" },
        { SPLIT("'(?i:[sdmt]|ll|ve|re)|" WORD "{1,3}" REST_LFM, ISOLATED), "true", "llama-bpe" },
        { SPLIT(SUFFIX "|" WORD "{1,3}" REST, REMOVED), "true", "llama-bpe" },
        { SPLIT(SUFFIX "|" WORD "{1,3}" REST, "\"behavior\":\"Removed\""), "true", NULL },
        { SPLIT("\\\\p{N}{1,3}", REMOVED) "," SPLIT(SUFFIX "|" WORD "+" REST, ISOLATED), "true",
          NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[2000];
        json_doc d;
        lory_err err = { 0 };
        snprintf(text, sizeof text,
                 "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[%s,{\"type\":"
                 "\"ByteLevel\",\"use_regex\":false}]},\"model\":{\"ignore_merges\":%s}}",
                 cases[i][0], cases[i][1]);
        REQUIRE(json_read(&d, text, strlen(text), "x", &err), "%s", err.text);
        const char *name = pre_name(d.root, "x", &err), *want = cases[i][2];
        CHECK(name == want || (name && want && strcmp(name, want) == 0), "case %zu: %s", i,
              name ? name : err.text);
        json_close(&d);
    }
}

/* Merges by score must do what merges by rank do: "ab" before "bc" in "abc". */
TEST(merges_with_byte_fallback_become_scores)
{
    gguf g;
    hf_test t = begin("fallback", "");
    hf_text(
        &t, "tokenizer.json",
        "{\"added_tokens\":[{\"id\":0,\"content\":\"<unk>\",\"special\":true},"
        "{\"id\":9,\"content\":\"\u2581\u2581x\",\"special\":false}],"
        "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":"
        "\"\u2581\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
        "\"content\":\"\u2581\"}]},"
        "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{"
        "\"SpecialToken\":"
        "{\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}]},"
        "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{"
        "\"<unk>\":0,\"<0x41>\":1,\"a\":2,\"b\":3,\"c\":4,\"bc\":5,\"ab\":6,\"abc\":7},"
        "\"merges\":[\"a b\",\"b c\",\"ab c\",\"a bc\"]}}");
    if (!make(&t, &g)) return;
    const gguf_kv *scores = gguf_find(&g, "tokenizer.ggml.scores");
    REQUIRE(scores && scores->n == N_VOCAB);
    check_str(&g, "tokenizer.ggml.model", "llama");
    check_list(&g, "tokenizer.ggml.token_type", "261111115455");
    check_list(&g, "tokenizer.ggml.tokens",
               "<unk>|<0x41>|a|b|c|bc|ab|abc|[PAD8]|  x|[PAD10]|[PAD11]");
    double ab = gguf_float_at(scores, 6), bc = gguf_float_at(scores, 5),
           abc = gguf_float_at(scores, 7);
    CHECK(ab > bc && bc > abc && abc > gguf_float_at(scores, 2), "%g %g %g", ab, bc, abc);
    CHECK(!gguf_find(&g, "tokenizer.ggml.merges"));
    check_int(&g, "tokenizer.ggml.add_space_prefix", 1);
    check_int(&g, "tokenizer.ggml.add_bos_token", 1),
        check_int(&g, "tokenizer.ggml.add_eos_token", 0);
    gguf_close(&g);
}

TEST(gemma_4_keeps_its_merges)
{
    gguf g;
    hf_test t = begin_class("Gemma4ForCausalLM", "gemma4", "");
    hf_text(&t, "tokenizer.json",
            "{\"added_tokens\":[{\"id\":0,\"content\":\"<unk>\",\"special\":true},"
            "{\"id\":7,\"content\":\"<|tool_call>\",\"special\":true}],"
            "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
            "\"content\":\"\u2581\"},"
            "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{"
            "\"<unk>\":0,\"<0x41>\":1,\"a\":2,\"b\":3,\"\u2581\":4,\"ab\":5,\"\u2581ab\":6},"
            "\"merges\":[[\"a\",\"b\"],[\"\u2581\",\"ab\"]]}}");
    if (!make(&t, &g)) return;
    check_str(&g, "tokenizer.ggml.model", "gemma4");
    check_list(&g, "tokenizer.ggml.merges", "a b|\u2581 ab");
    CHECK(!gguf_find(&g, "tokenizer.ggml.scores"));
    check_list(&g, "tokenizer.ggml.token_type", "261111145555");
    check_int(&g, "tokenizer.ggml.add_space_prefix", 0);
    gguf_close(&g);
}

TEST(unigram_pieces_keep_their_scores_and_map)
{
    gguf g;
    hf_test t = begin("unigram", "");
    hf_text(
        &t, "tokenizer.json",
        "{\"added_tokens\":[],\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":"
        "\"AAEC/w==\"},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"prepend_scheme\":\"never\"},"
        "\"model\":{\"type\":\"Unigram\",\"unk_id\":1,\"vocab\":[[\"a\",-1.5],[\"<unk>\",0]]}}");
    if (!make(&t, &g)) return;
    const gguf_kv *map = gguf_find(&g, "tokenizer.ggml.precompiled_charsmap");
    check_str(&g, "tokenizer.ggml.model", "t5");
    CHECK(map && map->elem == GGUF_U8 && map->n == 4 && memcmp(map->data, "\0\1\2\xff", 4) == 0);
    check_float(&g, "tokenizer.ggml.scores", -1.5);
    check_int(&g, "tokenizer.ggml.unknown_token_id", 1);
    check_int(&g, "tokenizer.ggml.add_space_prefix", 0);
    gguf_close(&g);
}

/* Files of the first versions do not name the type. */
TEST(a_list_of_pieces_is_a_unigram_model)
{
    gguf g;
    hf_test t = begin("list", "");
    hf_text(&t, "tokenizer.json",
            "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\"},"
            "\"model\":{\"unk_id\":1,\"vocab\":[[\"a\",-1.5],[\"<unk>\",0]]}}");
    if (!make(&t, &g)) return;
    check_str(&g, "tokenizer.ggml.model", "t5");
    check_float(&g, "tokenizer.ggml.scores", -1.5);
    gguf_close(&g);
    refuse_json("nameless", "{\"model\":{" VOCAB "}}",
                "/tokenizer.json: a model of no type is not known (known: BPE of bytes, BPE with "
                "byte fallback, Unigram)");
}

/* ---- what a tokenizer.json does besides its model ------------------------------------------- */

#define SP_MODEL(more)                                                                             \
    "{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{\"a\":0,\"b\":1,\"\u2581\":2,"            \
    "\"ab\":3,\"\u2581ab\":4,\"b\u2581\":5}," more                                                 \
    "\"merges\":[\"a b\",\"\u2581 ab\",\"b \u2581\"]}"
#define UNIGRAM  "{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1],[\"\u2581a\",-1],[\"a\u2581b\",-1]]}"
#define BYTES_OF(more) "{\"type\":\"BPE\"," VOCAB "," more "\"merges\":[]}"
#define META(more)     "{\"type\":\"Metaspace\",\"replacement\":\"\u2581\"" more "}"
#define TO_MARK                                                                                    \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\u2581\"}"
#define LEVEL(more) "{\"type\":\"ByteLevel\",\"add_prefix_space\":false" more "}"
#define TYPE(name)  "{\"type\":\"" name "\"}"
#define DECODER     ",\"decoder\":{\"type\":\"ByteLevel\"}"
#define LIST(name, parts) "{\"type\":\"Sequence\",\"" name "\":[" parts "]}"

/* normalizer, pre_tokenizer, model: the end of the sentence that refuses them */
static const char *const refused_parts[][4] = {
    { TYPE("NFKC"), LEVEL(""), BYTES_OF(""), "the normalizer 'NFKC' is not known" },
    { LIST("normalizers", TYPE("NFC") "," TYPE("Lowercase")), LEVEL(""), BYTES_OF(""),
      "the normalizer 'Lowercase' is not known" },
    { "null", "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", BYTES_OF(""),
      "a blank before the text (add_prefix_space of 'ByteLevel') is not known" },
    { "null", SPLIT("\\\\p{N}", ISOLATED), BYTES_OF("") DECODER,
      "is not known (step 1 is '\\p{N}')" },
    { "null", SPLIT(QWEN2, ISOLATED), BYTES_OF("") DECODER,
      "no 'ByteLevel' makes bytes of the words" },
    { "null",
      LIST("pretokenizers", SPLIT(QWEN2, "\"behavior\":\"Contiguous\"") "," LEVEL(
                                ",\"use_regex\":false")),
      BYTES_OF(""), "(step 1 is 'Contiguous (?i:" },
    { "null",
      LIST("pretokenizers", LEVEL(",\"use_regex\":false") "," SPLIT(QWEN2, ISOLATED)),
      BYTES_OF(""), "(step 1 is 'ByteLevel')" },
    { "null",
      LIST("pretokenizers", "{\"type\":\"Punctuation\",\"behavior\":\"Isolated\"}," LEVEL(
                                "") "," SPLIT("[0-9][0-9][0-9]", ISOLATED)),
      BYTES_OF(""), "(step 1 is 'Punctuation')" },
    { "null", LEVEL(""), BYTES_OF("\"end_of_word_suffix\":\"</w>\","),
      "the end_of_word_suffix '</w>' is not known" },
    { "null", LEVEL(""), BYTES_OF("\"unk_token\":\"a\",\"fuse_unk\":true,"),
      "one unknown token for several bytes (fuse_unk) is not known" },
    { TYPE("NFKC"), META(""), SP_MODEL(""), "the normalizer 'NFKC' is not known" },
    { "null", LIST("pretokenizers", TYPE("Digits") "," META("")), SP_MODEL(""),
      "the pre_tokenizer 'Digits' is not known" },
    { "null", "{\"type\":\"Metaspace\",\"replacement\":\"_\"}", SP_MODEL(""),
      "the pre_tokenizer 'Metaspace' is not known" },
    { "null", "null", SP_MODEL(""), "turns blanks into U+2581" },
    { "null", META(""), SP_MODEL(""), "pieces of several words (piece 5)" },
    { TO_MARK, "null", SP_MODEL("\"continuing_subword_prefix\":\"##\","),
      "the continuing_subword_prefix '##' is not known" },
    { TYPE("Strip"), META(""), UNIGRAM, "the normalizer 'Strip' is not known" },
    { "null", TYPE("Whitespace"), UNIGRAM, "the pre_tokenizer 'Whitespace' is not known" },
    { TYPE("BertNormalizer"), TYPE("Whitespace"),
      "{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\"," VOCAB ",\"merges\":[]}",
      "the pre_tokenizer 'Whitespace' is not known" },
    { "{\"type\":\"BertNormalizer\",\"lowercase\":false}", TYPE("BertPreTokenizer"),
      "{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\"," VOCAB ",\"merges\":[]}",
      "the normalizer 'BertNormalizer' is not known" },
    { "null", "null", "{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\"," VOCAB ",\"merges\":[]}",
      "are known only as GPT-1 makes them" },
};

TEST(parts_that_lory_does_not_do_are_refused)
{
    char text[2000];
    for (size_t i = 0; i < sizeof refused_parts / sizeof refused_parts[0]; i++) {
        const char *const *c = refused_parts[i];
        gguf g;
        buf notes = { 0 };
        lory_err err = { 0 };
        hf_test t = begin("parts", "");
        snprintf(text, sizeof text, "{\"normalizer\":%s,\"pre_tokenizer\":%s,\"model\":%s}", c[0],
                 c[1], c[2]);
        hf_text(&t, "tokenizer.json", text);
        CHECK(!hf_make(&t, RETYPE_KEEP, &g, &notes, &err), "case %zu: converted", i);
        CHECK(strstr(err.text, c[3]), "case %zu: %s", i, err.text);
        gguf_close(&g);
        buf_free(&notes);
    }
}

/* Merges by score would also make "abc" of "a" and "bc", and so on. */
TEST(merges_that_scores_cannot_stand_for_are_refused)
{
    refuse_json("tree",
                "{\"normalizer\":" TO_MARK ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,"
                "\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4,\"abc\":5,\"abca\":6,"
                "\"ca\":7},\"merges\":[\"a b\",\"b c\",\"ab c\",\"abc a\",\"c a\"]}}",
                "/tokenizer.json: the merges are not of a SentencePiece model (5; there are 7 "
                "pairs of pieces that make a piece)");
}

TEST(blanks_are_joined_where_the_folder_joins_them)
{
    static const char *const cases[][3] = {
        { "null", META(""), "0" },
        { "null", LIST("pretokenizers", TYPE("WhitespaceSplit") "," META("")), "1" },
        { LIST("normalizers", TYPE("Strip") ",{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" "
                                            "{2,}\"},\"content\":\"\u2581\"}"),
          META(""), "1" },
    };
    char text[1000];
    for (int i = 0; i < 3; i++) {
        gguf g;
        hf_test t = begin("joined", "");
        snprintf(text, sizeof text,
                 "{\"normalizer\":%s,\"pre_tokenizer\":%s,\"model\":" UNIGRAM "}", cases[i][0],
                 cases[i][1]);
        hf_text(&t, "tokenizer.json", text);
        if (!make(&t, &g)) return;
        check_int(&g, "tokenizer.ggml.remove_extra_whitespaces", cases[i][2][0] - '0');
        check_list(&g, "tokenizer.ggml.token_type", "115555555555"); /* "a b" is never one word */
        gguf_close(&g);
    }
}

/* LLM-jp's files mark blanks, and where a text begins, by expressions. */
TEST(a_blank_before_the_text_may_be_an_expression)
{
#define REGEX(expr)                                                                                \
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"" expr "\"},\"content\":\"\u2581\"}"
#define PREPEND(s) "{\"type\":\"Prepend\",\"prepend\":\"" s "\"}"
    static const char *const cases[][3] = {
        { REGEX(" "), "null", "0" },
        { LIST("normalizers", REGEX("(?<!\\\\n)^") "," REGEX(" ")), "null", "1" },
        { LIST("normalizers", REGEX("(?<!\\\\n)^| ") "," REGEX(" ")), "null", "1" },
        { PREPEND("\u2581"), META(",\"split\":false,\"add_prefix_space\":false"), "1" },
    };
    char text[1000];
    for (int i = 0; i < 4; i++) {
        gguf g;
        hf_test t = begin("start", "");
        snprintf(text, sizeof text,
                 "{\"normalizer\":%s,\"pre_tokenizer\":%s,\"model\":" UNIGRAM "}", cases[i][0],
                 cases[i][1]);
        hf_text(&t, "tokenizer.json", text);
        if (!make(&t, &g)) return;
        check_int(&g, "tokenizer.ggml.add_space_prefix", cases[i][2][0] - '0');
        check_int(&g, "tokenizer.ggml.remove_extra_whitespaces", 0);
        gguf_close(&g);
    }
    refuse_json("everyline", /* every line gets a mark */
                "{\"normalizer\":" LIST("normalizers", REGEX("^") "," REGEX(" "))
                ",\"model\":" UNIGRAM "}",
                "/tokenizer.json: the normalizer 'Replace' is not known for a model of this kind "
                "as it is set there");
}

/* As Helium's files do. */
TEST(newlines_that_are_words_apart_are_in_no_other_piece)
{
    gguf g;
    hf_test t = begin("lines", "");
    hf_text(&t, "tokenizer.json",
            "{\"normalizer\":" LIST("normalizers", PREPEND(" ") "," TO_MARK) ",\"pre_tokenizer\":"
            LIST("pretokenizers", "{\"type\":\"Split\",\"pattern\":{\"String\":\"\\n\"},"
                                  "\"behavior\":\"Contiguous\",\"invert\":false}")
            ",\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1],[\"\\n\\n\",-1],[\"a\\n\",-1],"
            "[\"\u2581a\u2581\",-1]]}}");
    if (!make(&t, &g)) return;
    check_int(&g, "tokenizer.ggml.add_space_prefix", 1);
    check_list(&g, "tokenizer.ggml.token_type", "115155555555");
    gguf_close(&g);
}

#define SPECIALS                                                                                   \
    "\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[6]},\"<x>\":{\"id\":\"<x>\",\"ids\":[8]}}"
#define TEMPLATE(single) "{\"type\":\"TemplateProcessing\",\"single\":[" single "]," SPECIALS "}"
#define TOKEN(name)      "{\"SpecialToken\":{\"id\":\"" name "\"}}"
#define TEXT_A           "{\"Sequence\":{\"id\":\"A\"}}"

TEST(tokens_around_a_text_are_those_of_the_post_processor)
{
    static const struct {
        const char *processor, *config;
        int bos, eos, sep, add_bos, add_eos, add_sep; /* -1: the key is absent */
    } cases[] = {
        { TEMPLATE(TOKEN("<s>") "," TEXT_A), "", 6, -1, -1, 1, 0, -1 },
        { TEMPLATE(TOKEN("<x>") "," TEXT_A), "\"bos_token\":\"<s>\"", 8, -1, -1, 1, 0, -1 },
        { TEMPLATE(TEXT_A "," TOKEN("<x>")), "", -1, 8, -1, 0, 1, -1 },
        { TEMPLATE(TEXT_A "," TOKEN("<x>")), "\"eos_token\":\"<s>\"", -1, 6, 8, 0, 0, 1 },
        { TEMPLATE(TEXT_A), "", -1, -1, -1, 0, 0, -1 },
        { TEMPLATE(TEXT_A), "\"add_bos_token\":true", -1, -1, -1, 1, 0, -1 },
        { "{\"type\":\"RobertaProcessing\",\"cls\":[\"<s>\",6],\"sep\":[\"<x>\",8]}", "", 6, 8, -1,
          1, 1, -1 },
        { LIST("processors", LEVEL("") "," TEMPLATE(TOKEN("<s>") "," TEXT_A)), "", 6, -1, -1, 1, 0,
          -1 },
        { LEVEL(""), "", -1, -1, -1, -1, -1, -1 },
        { LEVEL(""), "\"tokenizer_class\":\"PreTrainedTokenizerFast\"", -1, -1, -1, 0, 0, -1 },
        { LEVEL(""), "\"tokenizer_class\":\"TokenizersBackend\"", -1, -1, -1, 0, 0, -1 },
    };
    char text[1500];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gguf g;
        hf_test t = begin("around", "");
        snprintf(text, sizeof text,
                 "{" ADDED "," BYTE_LEVEL ",\"post_processor\":%s,\"model\":{" VOCAB
                 ",\"merges\":[\"a b\"]}}",
                 cases[i].processor);
        hf_text(&t, "tokenizer.json", text);
        snprintf(text, sizeof text, "{%s}", cases[i].config);
        hf_text(&t, "tokenizer_config.json", text);
        if (!make(&t, &g)) return;
        check_int(&g, "tokenizer.ggml.bos_token_id", cases[i].bos);
        check_int(&g, "tokenizer.ggml.eos_token_id", cases[i].eos);
        check_int(&g, "tokenizer.ggml.seperator_token_id", cases[i].sep);
        check_int(&g, "tokenizer.ggml.add_bos_token", cases[i].add_bos);
        check_int(&g, "tokenizer.ggml.add_eos_token", cases[i].add_eos);
        check_int(&g, "tokenizer.ggml.add_sep_token", cases[i].add_sep);
        gguf_close(&g);
    }
}

TEST(what_gguf_cannot_say_of_texts_is_said)
{
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test t = begin("lost", "");
    hf_text(&t, "tokenizer.json",
            "{\"added_tokens\":[{\"id\":5,\"content\":\"<x>\",\"rstrip\":true}],"
            "\"normalizer\":{\"type\":\"NFC\"},"
            "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
            SPLIT("\\\\p{N}{1,3}", ISOLATED) ","
            SPLIT("[一-龥\u3040-ゟ゠-ヿ]+", ISOLATED) ","
            SPLIT(DEEPSEEK3, ISOLATED) "," LEVEL(",\"use_regex\":false") "]},"
            "\"post_processor\":" TEMPLATE(TOKEN("<s>") "," TOKEN("<x>") "," TEXT_A) ","
            "\"model\":{" VOCAB ",\"merges\":[\"a b\"]}}");
    REQUIRE(hf_make(&t, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    CHECK(strstr(notes.data, ": 1 added tokens take white space along"), "%s", notes.data);
    CHECK(strstr(notes.data, "can't say of a pre-tokenizer 'deepseek-v3'"), "%s", notes.data);
    CHECK(strstr(notes.data, ": texts get none of the 2 tokens that tokenizer.json puts before"),
          "%s", notes.data);
    check_int(&g, "tokenizer.ggml.add_bos_token", 0);
    gguf_close(&g);
    buf_free(&notes);
}

TEST(a_byte_without_a_token_is_unknown_where_the_folder_says_so)
{
    gguf g;
    lory_err err = { 0 };
    tokenizer tok;
    hf_test t = begin("unknown-bytes", "");
    hf_text(&t, "tokenizer.json",
            "{" BYTE_LEVEL ",\"model\":{\"unk_token\":\"?\",\"vocab\":{\"a\":0,\"b\":1,\"?\":2,"
            "\"ab\":3},\"merges\":[\"a b\"]}}");
    if (!make(&t, &g)) return;
    check_list(&g, "tokenizer.ggml.token_type", "112155555555");
    check_int(&g, "tokenizer.ggml.unknown_token_id", 2);
    REQUIRE(tokenizer_init(&tok, &g, &err), "%s", err.text);
    lory_tokens ids = { 0 };
    tokenizer_text text = { "abxa\u00e9", 6, 0, NULL, 0 };
    CHECK(tokenizer_encode(&tok, &text, &ids, &err), "%s", err.text);
    CHECK(ids.n == 5 && ids.id[0] == 3 && ids.id[1] == 2 && ids.id[2] == 0 && ids.id[3] == 2
          && ids.id[4] == 2);
    lory_tokens_free(&ids);
    tokenizer_free(&tok);
    gguf_close(&g);
}

TEST(added_tokens_of_several_words_are_found)
{
    gguf g;
    lory_err err = { 0 };
    tokenizer tok;
    hf_test t = begin("words", "");
    hf_text(&t, "tokenizer.json",
            "{\"added_tokens\":[{\"id\":7,\"content\":\"b a \"}],\"normalizer\":" TO_MARK
            ",\"model\":" SP_MODEL("") "}");
    if (!make(&t, &g)) return;
    REQUIRE(tokenizer_init(&tok, &g, &err), "%s", err.text);
    lory_tokens ids = { 0 };
    tokenizer_text text = { "b b a a", 7, 0, NULL, 0 };
    CHECK(tokenizer_encode(&tok, &text, &ids, &err), "%s", err.text);
    CHECK(ids.n == 3 && ids.id[0] == 5 && ids.id[1] == 7 && ids.id[2] == 0);
    lory_tokens_free(&ids);
    tokenizer_free(&tok);
    gguf_close(&g);
}

TEST(a_vocabulary_of_single_bytes_has_an_empty_list_of_merges)
{
    gguf g;
    lory_err err = { 0 };
    tokenizer tok;
    hf_test t = begin("no-merges", "");
    hf_text(&t, "tokenizer.json",
            "{" BYTE_LEVEL ",\"model\":{\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]}}");
    if (!make(&t, &g)) return;
    CHECK(tokenizer_init(&tok, &g, &err), "%s", err.text);
    tokenizer_free(&tok);
    gguf_close(&g);
}

/* ---- SentencePiece --------------------------------------------------------------------------- */

/* Field 1 of the model: a piece of text, score -0.5 and a type. */
static void put_piece(buf *b, const char *text, int type)
{
    size_t n = strlen(text);
    buf_putc(b, 0x0a), buf_putc(b, (char)(n + 9));
    buf_putc(b, 0x0a), buf_putc(b, (char)n), buf_puts(b, text);
    buf_put(b, "\x15\x00\x00\x00\xbf\x18", 6), buf_putc(b, (char)type);
}

static buf sentencepiece(int model_type)
{
    buf b = { 0 };
    put_piece(&b, "<unk>", 2), put_piece(&b, "<s>", 3), put_piece(&b, "\u2581a", 1);
    put_piece(&b, "<0x0A>", 6), put_piece(&b, "user", 4);
    buf_put(&b, "\x12\x04\x18", 3), buf_putc(&b, (char)model_type); /* trainer_spec.model_type .. */
    buf_put(&b, "\x20\x07", 2);                                     /* .. and a field not read */
    buf_put(&b, "\x1a\x08\x12\x02xy\x18\x00\x20\x00", 10);          /* normalizer_spec */
    return b;
}

TEST(sentencepiece_models_are_read)
{
    for (int type = 1; type <= 2; type++) {
        gguf g;
        buf b = sentencepiece(type);
        hf_test t = begin(type == 1 ? "sp-unigram" : "sp-bpe", ",\"bos_token_id\":1");
        hf_file(&t, "tokenizer.model", b.data, b.len);
        hf_text(&t, "added_tokens.json", "{\"<pad>\":6,\"more\":7}");
        hf_text(&t, "tokenizer_config.json",
                "{\"added_tokens_decoder\":{\"8\":{\"content\":\"<x>\",\"special\":true}},"
                "\"pad_token\":{\"content\":\"<pad>\"}}");
        if (!make(&t, &g)) return;
        check_str(&g, "tokenizer.ggml.model", type == 1 ? "t5" : "llama");
        check_list(&g, "tokenizer.ggml.tokens",
                   "<unk>|<s>|\u2581a|<0x0A>|user|[PAD5]|<pad>|more|<x>|[PAD9]|[PAD10]|[PAD11]");
        check_list(&g, "tokenizer.ggml.token_type", "231645343555");
        check_float(&g, "tokenizer.ggml.scores", -0.5);
        check_int(&g, "tokenizer.ggml.bos_token_id", 1);
        check_int(&g, "tokenizer.ggml.padding_token_id", 6);
        check_int(&g, "tokenizer.ggml.add_space_prefix", 0);
        check_int(&g, "tokenizer.ggml.remove_extra_whitespaces", 0);
        CHECK(gguf_find(&g, "tokenizer.ggml.precompiled_charsmap"));
        gguf_close(&g);
        buf_free(&b);
    }
}

TEST(damaged_sentencepiece_models_are_refused_wherever_they_are_cut)
{
    buf b = sentencepiece(2);
    hf_test t = begin("sp-cut", "");
    for (size_t n = 1; n < b.len; n++) {
        gguf g;
        buf notes = { 0 };
        lory_err err = { 0 };
        hf_file(&t, "tokenizer.model", b.data, n);
        if (hf_make(&t, RETYPE_KEEP, &g, &notes, &err))
            gguf_close(&g);
        else
            CHECK(strstr(err.text, "sp-cut/tokenizer.model: "), "%zu: %s", n, err.text);
        buf_free(&notes);
        char out[500];
        snprintf(out, sizeof out, "%s.gguf", t.path);
        remove(out);
    }
    buf_free(&b);
    b = sentencepiece(4);
    hf_file(&t, "tokenizer.model", b.data, b.len);
    hf_refused(
        &t, "/tokenizer.model: a SentencePiece model of type 4 is not known (known: unigram, BPE)");
    hf_text(&t, "tokenizer.model", "not one");
    hf_refused(&t, "/tokenizer.model: is no SentencePiece model (wrong at byte 1)");
    buf_free(&b);
}

/* ---- lines ----------------------------------------------------------------------------------- */

TEST(the_lines_of_plamo_are_read)
{
    gguf g;
    hf_test t = begin("plamo-lines", "");
    hf_text(&t, "tokenizer.jsonl",
            "[\"<unk>\", 0.0, \"UNKNOWN\", null]\n[\"<s>\",0,\"CONTROL\"]\r\n\n"
            "[\"<0x41>\",-3,\"BYTE\"]\n[\"\\u3042\",-1.5,\"NORMAL\"]\n"
            "[\"<|plamo:op|>\",-7,\"NORMAL\"]");
    hf_text(&t, "tokenizer_config.json", "{\"bos_token\":\"<s>\"}");
    if (!make(&t, &g)) return;
    check_str(&g, "tokenizer.ggml.model", "plamo2");
    check_list(&g, "tokenizer.ggml.tokens",
               "<unk>|<s>|<0x41>|\u3042|<|plamo:op|>|[PAD5]|[PAD6]|[PAD7]|[PAD8]|[PAD9]|[PAD10]|"
               "[PAD11]");
    check_list(&g, "tokenizer.ggml.token_type", "236135555555");
    check_int(&g, "tokenizer.ggml.bos_token_id", 1);
    check_int(&g, "tokenizer.ggml.eot_token_id", 4);
    check_int(&g, "tokenizer.ggml.add_space_prefix", 0);
    gguf_close(&g);
    t = begin("plamo-wrong", "");
    hf_text(&t, "tokenizer.jsonl", "[\"a\",0]\n[\"b\"]\n");
    hf_refused(&t, "/tokenizer.jsonl: line 2 is no list of a text, a score and a type");
}

TEST(the_lines_of_rwkv_are_read)
{
    static const char *const wrong[] = { "2 'ab' 3",     "2 'ab 2", "2 b'\\u0041' 1", "x 'a' 1",
                                         "2 '\\x4' 1",   "2 '' 0",  "2",              "2 'a'",
                                         "2 'a' 1 ",     "2 '\\' 1",
                                         "2 '\\Uffffffff' 1", "2 '\\x\x14\x11' 1" };
    gguf g;
    hf_test t = begin("rwkv-lines", "");
    hf_text(&t, "rwkv_vocab_v20230424.txt",
            "1 '\\x00' 1\n2 b'\\xe3\\x81' 2\n3 '\u3042 x' 5\n4 \"it's\" 4\n5 '\\\\\\n' 2\n"
            "6 '\\'\"' 2\n7 '\\u00e9' 2\n");
    if (!make(&t, &g)) return;
    check_str(&g, "tokenizer.ggml.model", "rwkv");
    check_list(&g, "tokenizer.ggml.tokens",
               "<s>|\\x00|\\xe3\\x81|\\xe3\\x81\\x82 x|it's|\\\\\\n|\\'\"|\\xc3\\xa9|[PAD8]|[PAD9]|"
               "[PAD10]|[PAD11]");
    check_list(&g, "tokenizer.ggml.token_type", "311111115555");
    check_int(&g, "tokenizer.ggml.eos_token_id", 0);
    check_int(&g, "tokenizer.ggml.eot_token_id", -1);
    gguf_close(&g);
    t = begin("rwkv-wrong", "");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "1 'a' 1\n%s", wrong[i]);
        hf_text(&t, "rwkv_vocab_v20230424.txt", text);
        hf_refused(&t, "/rwkv_vocab_v20230424.txt: line 2 is no id, text and length");
    }
}

/* ---- other forms ----------------------------------------------------------------------------- */

TEST(vocab_json_with_merges_txt_is_read)
{
    gguf g;
    hf_test t = begin("files", "");
    hf_text(&t, "vocab.json", "{\"a\":0,\"b\":1,\"ab\":2,\"<|endoftext|>\":3}");
    hf_text(&t, "merges.txt", "#version: 0.2\na b\n\n# ab\r\n");
    hf_text(&t, "special_tokens_map.json", "{\"eos_token\":\"<|endoftext|>\"}");
    hf_text(&t, "tokenizer_config.json",
            "{\"tokenizer_class\":\"GPT2Tokenizer\",\"eos_token\":\"<|endoftext|>\"}");
    if (!make(&t, &g)) return;
    check_str(&g, "tokenizer.ggml.pre", "gpt-2");
    check_list(&g, "tokenizer.ggml.merges", "a b|# ab");
    check_list(&g, "tokenizer.ggml.token_type", "111355555555");
    check_int(&g, "tokenizer.ggml.eos_token_id", 3);
    gguf_close(&g);
    hf_test bad = begin("bad-files", "");
    hf_text(&bad, "vocab.json", "{\"a\":0}");
    hf_text(&bad, "merges.txt", "a b c\n");
    hf_refused(&bad, "/merges.txt: line 1 is no pair of tokens");
    hf_text(&bad, "tokenizer_config.json", "{\"tokenizer_class\":\"NewTokenizer\"}");
    hf_refused(&bad, ": how the tokenizer_class 'NewTokenizer' cuts text is not known without a "
                     "tokenizer.json");
}

TEST(tiktoken_ranks_become_merges)
{
    gguf g;
    hf_test t = begin("tiktoken", "");
    /* a b c " " ab " a" abc(= ab c), in another order of lines */
    hf_text(&t, "tokenizer.model", "YQ== 0\nYg== 1\nYw== 2\nIA== 3\nYWJj 6\nYWI= 4\nIGE= 5\n");
    if (!make(&t, &g)) return;
    check_list(&g, "tokenizer.ggml.tokens",
               "a|b|c|\u0120|ab|\u0120a|abc|[PAD7]|[PAD8]|[PAD9]|[PAD10]|[PAD11]");
    check_list(&g, "tokenizer.ggml.merges", "a b|\u0120 a|ab c");
    gguf_close(&g);
    hf_test bad = begin("bad-tiktoken", "");
    hf_text(&bad, "tokenizer.model", "YQ== 0\nY?== 1\n");
    hf_refused(&bad, "/tokenizer.model: line 2 is no token with its rank");
}

TEST(the_first_qwen_has_its_special_tokens_behind_the_ranks)
{
    gguf g;
    hf_test t = begin("qwen", "");
    hf_text(&t, "config.json",
            "{\"architectures\":[\"QWenLMHeadModel\"],\"hidden_size\":4,\"num_hidden_layers\":1,"
            "\"num_attention_heads\":1,\"intermediate_size\":8,\"seq_length\":64,"
            "\"vocab_size\":12}");
    hf_add(&t, "transformer.wte.weight", N_VOCAB, 4, 0.0f);
    hf_weights(&t, "model.safetensors");
    hf_text(&t, "qwen.tiktoken", "YQ== 0\nYg== 1\nYw== 2\nIA== 3\nYWI= 4\n");
    if (!make(&t, &g)) return;
    check_str(&g, "tokenizer.ggml.pre", "qwen2");
    check_list(&g, "tokenizer.ggml.tokens",
               "a|b|c|\u0120|ab|<|endoftext|>|<|im_start|>|<|im_end|>|<|extra_0|>|<|extra_1|>|"
               "<|extra_2|>|<|extra_3|>");
    check_list(&g, "tokenizer.ggml.token_type", "111113333333");
    gguf_close(&g);
}

TEST(tokens_without_a_row_are_left_out_and_said)
{
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test t = begin("more-tokens", "");
    hf_text(&t, "tokenizer.json",
            "{\"added_tokens\":[{\"id\":12,\"content\":\"<x>\",\"special\":true}]," BYTE_LEVEL
            ",\"model\":{" VOCAB ",\"merges\":[]}}");
    REQUIRE(hf_make(&t, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    CHECK(strstr(notes.data, ": 1 tokens are left out, because the embedding has 12 rows\n"));
    gguf_close(&g);
    buf_free(&notes);
}

/* ---- templates, ids, sampling ---------------------------------------------------------------- */

TEST(templates_ids_and_advice_are_carried_over)
{
    gguf g;
    hf_test t = begin("carried", ",\"eos_token_id\":[7,8]");
    hf_text(&t, "tokenizer_config.json",
            "{\"add_bos_token\":true,\"chat_template\":[{\"name\":\"default\",\"template\":\"A\"},"
            "{\"name\":\"rag\",\"template\":\"B\"}]}");
    hf_text(&t, "generation_config.json",
            "{\"eos_token_id\":[7,8,9],\"temperature\":0.6,\"top_k\":20,\"top_p\":0.95,"
            "\"repetition_penalty\":1.05}");
    if (!make(&t, &g)) return;
    check_int(&g, "tokenizer.ggml.eos_token_id", 7),
        check_int(&g, "tokenizer.ggml.eot_token_id", 8);
    check_int(&g, "tokenizer.ggml.eom_token_id", 9),
        check_int(&g, "tokenizer.ggml.add_bos_token", 1);
    check_str(&g, "tokenizer.chat_template", "A"),
        check_str(&g, "tokenizer.chat_template.rag", "B");
    check_list(&g, "tokenizer.chat_templates", "rag");
    check_float(&g, "general.sampling.temp", 0.6), check_int(&g, "general.sampling.top_k", 20);
    check_float(&g, "general.sampling.top_p", 0.95);
    check_float(&g, "general.sampling.penalty_repeat", 1.05);
    gguf_close(&g);
    hf_text(&t, "chat_template.jinja", "C");
    hf_text(&t, "generation_config.json", "{\"do_sample\":false,\"temperature\":0.6}");
    if (!make(&t, &g)) return;
    check_str(&g, "tokenizer.chat_template", "C");
    CHECK(!gguf_find(&g, "general.sampling.temp"));
    gguf_close(&g);
}

/* ---- failures -------------------------------------------------------------------------------- */

static bool stop(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return false;
}

TEST(an_interrupted_conversion_leaves_nothing_behind)
{
    char out[500], command[600];
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test t = begin("stopped", "");
    snprintf(out, sizeof out, "%s/out.gguf", t.path);
    convert_params p = { .out = out, .type = RETYPE_KEEP, .progress = stop };
    CHECK(!hf_convert(t.path, &p, &notes, &err) && err.code == LORY_E_INTERRUPTED, "%s", err.text);
    snprintf(command, sizeof command, "test $(ls -A '%s' | wc -l) = 2", t.path);
    CHECK(system(command) == 0, "files are left over");
    buf_free(&notes);
}

TEST(a_conversion_without_memory_says_so_and_gives_everything_back)
{
    char out[500];
    size_t live = mem_live_bytes();
    hf_test t = begin("memory", ",\"rope_scaling\":{\"rope_type\":\"llama3\"}");
    hf_text(&t, "tokenizer.json",
            "{" ADDED "," BYTE_LEVEL ",\"model\":{\"type\":\"BPE\"," VOCAB
            ",\"merges\":[\"a b\"]}}");
    hf_text(&t, "tokenizer_config.json",
            "{\"chat_template\":[{\"name\":\"default\",\"template\":\"A\"}]}");
    snprintf(out, sizeof out, "%s/out.gguf", t.path);
    bool ok = false;
    for (uint64_t n = 1; !ok && n < 2000; n++) {
        buf notes = { 0 };
        lory_err err = { 0 };
        convert_params p = { .out = out, .type = RETYPE_KEEP };
        mem_fail_at(n);
        ok = hf_convert(t.path, &p, &notes, &err);
        mem_fail_at(0);
        CHECK(ok || err.code == LORY_E_MEMORY, "allocation %d: %s", (int)n, err.text);
        buf_free(&notes);
        CHECK(mem_live_bytes() == live, "allocation %d: %d bytes are lost", (int)n,
              (int)(mem_live_bytes() - live));
    }
    CHECK(ok);
}
