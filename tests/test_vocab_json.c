/* test_vocab_json.c - tokenizer.json: what becomes of its model, its expressions and the rest of
 * what it does to a text; what of it is refused. */
#include "convert/vocab_forms.h"
#include "hf_folder.h"
#include "token/tokenizer.h"
#include <stdlib.h>

#define ADDED                                                                                      \
    "'added_tokens':[{'id':5,'content':'<|end|>','special':false},{'id':6,'content':'<s>',"        \
    "'special':true},{'id':7,'content':'fun','special':false}]"
#define BYTE_LEVEL "'pre_tokenizer':{'type':'ByteLevel','add_prefix_space':false}"
#define VOCAB      "'vocab':{'a':0,'b':1,'\u0120':2,'ab':3,'\u0120ab':4}"

TEST(byte_level_tokenizers_keep_their_tokens_and_merges)
{
    static const char *const merges[] = { "['a b','\u0120 ab']", "[['a','b'],['\u0120','ab']]" };
    char text[1000];
    for (int i = 0; i < 2; i++) {
        gguf g;
        hf_test t = hf_begin_vocab(i ? "pairs" : "strings", "");
        snprintf(text, sizeof text,
                 "{" ADDED "," BYTE_LEVEL ",'model':{'type':'BPE'," VOCAB ",'merges':%s}}",
                 merges[i]);
        hf_json(&t, "tokenizer.json", text);
        if (!hf_must_make(&t, &g)) return;
        hf_check_str(&g, "tokenizer.ggml.model", "gpt2");
        hf_check_str(&g, "tokenizer.ggml.pre", "gpt-2");
        hf_check_list(&g, "tokenizer.ggml.tokens",
                      "a|b|\u0120|ab|\u0120ab|<|end|>|<s>|fun|[PAD8]|[PAD9]|[PAD10]|[PAD11]");
        hf_check_list(&g, "tokenizer.ggml.token_type", "111113345555");
        hf_check_list(&g, "tokenizer.ggml.merges", "a b|\u0120 ab");
        hf_check_int(&g, "tokenizer.ggml.bos_token_id", -1);
        hf_check_int(&g, "tokenizer.ggml.add_bos_token", -1);
        gguf_close(&g);
    }
}

static void refuse_json(const char *name, const char *text, const char *want)
{
    hf_test t = hf_begin_vocab(name, "");
    hf_json(&t, "tokenizer.json", text);
    hf_refused(&t, want);
}

TEST(unknown_tokenizers_are_named)
{
    refuse_json(
        "regex",
        "{'pre_tokenizer':{'type':'Split','pattern':{'Regex':'\\\\d+\\n'},'behavior':'Isolated'},"
        "'decoder':{'type':'ByteLevel'},'model':{'type':'BPE'," VOCAB ",'merges':[]}}",
        "/tokenizer.json: the way text is cut into words is not known (step 1 is '\\d+\\n')");
    refuse_json("step",
                "{'pre_tokenizer':{'type':'Sequence','pretokenizers':[{'type':'Whitespace'},"
                "{'type':'ByteLevel'}]},'model':{'type':'BPE'," VOCAB ",'merges':[]}}",
                "/tokenizer.json: the way text is cut into words is not known (step 1 is "
                "'Whitespace')");
    refuse_json(
        "kind", "{'model':{'type':'WordLevel'," VOCAB "}}",
        "/tokenizer.json: a model of type 'WordLevel' is not known (known: BPE of bytes, BPE "
        "with byte fallback, Unigram)");
    refuse_json("merge", "{" BYTE_LEVEL ",'model':{'type':'BPE'," VOCAB ",'merges':['ab']}}",
                "/tokenizer.json: merge 1 is no pair of tokens");
    refuse_json("id", "{" BYTE_LEVEL ",'model':{'vocab':{'a':-1},'merges':[]}}",
                "/tokenizer.json: token 'a' has no id");
}

/* What GGUF calls the rule of a tokenizer.json (as hf_json has it); NULL: *err says why none. */
static const char *name_of(const char *quoted, lory_err *err)
{
    char *text = test_unquoted(quoted);
    json_doc d;
    const char *name = NULL;
    if (json_read(&d, text, strlen(text), "x", err)) {
        name = pre_name(d.root, "x", err);
        json_close(&d);
    }
    free(text);
    return name;
}

#define APOS               "\\u0027" /* an apostrophe */
#define SPLIT(regex, more) "{'type':'Split','pattern':{'Regex':'" regex "'}," more "}"
/* Expressions, and bytes of what they cut. */
#define STEPS(splits)                                                                              \
    "{'type':'Sequence','pretokenizers':[" splits ",{'type':'ByteLevel','use_regex':false}]}"
#define ISOLATED           "'behavior':'Isolated'"
#define AFTER              "'behavior':'MergedWithNext'"
#define REMOVED            "'behavior':'Removed','invert':true"
#define SUFFIX                                                                                     \
    "(?i:" APOS "s|" APOS "t|" APOS "re|" APOS "ve|" APOS "m|" APOS "ll|" APOS "d)"
#define WORD               "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}"
#define REST                                                                                       \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*"                                                    \
    "|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define REST_LFM                                                                                   \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]|\\\\s+(?!\\\\S)|\\\\s"
#define NEWLINES "(?:\\\\r?\\\\n)+(?!\\\\r?\\\\n)"
#define QWEN2    SUFFIX "|" WORD REST
#define DEEPSEEK3                                                                                  \
    "[!\\'#$%&" APOS "()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~][A-Za-z]+|"                    \
    "[^\\\\r\\\\n\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{L}\\\\p{M}]+| ?[\\\\p{P}\\\\p{S}]+[\\\\r\\\\n]*" \
    "|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"

TEST(the_names_of_expressions_go_by_normal_form_and_merges)
{
    static const char llama3[] =
        "{'normalizer':%s,'pre_tokenizer':" STEPS(SPLIT(SUFFIX "|" WORD "%s" REST, ISOLATED))
        ",'model':{'ignore_merges':%s}}";
    static const char *const cases[][4] = {
        { "null", "{1,3}", "true", "llama-bpe" },     { "null", "{1,3}", "false", "dbrx" },
        { "{'type':'NFC'}", "", "false", "qwen2" },   { "null", "", "false", "hunyuan" },
        { "{'type':'NFC'}", "{1,3}", "false", NULL },
    };
    char text[1000];
    for (int i = 0; i < 5; i++) {
        lory_err err = { 0 };
        snprintf(text, sizeof text, llama3, cases[i][0], cases[i][1], cases[i][2]);
        const char *name = name_of(text, &err);
        CHECK(name == cases[i][3] || (name && cases[i][3] && strcmp(name, cases[i][3]) == 0),
              "case %d: %s", i, name ? name : "none");
        if (!name) CHECK(strstr(err.text, "with normal form C (step 1 is '(?i:'s"), "%s", err.text);
    }
}

TEST(expressions_in_steps_have_names)
{
    static const char *const cases[][3] = {
        /* steps, ignore_merges, name */
        { SPLIT(NEWLINES, AFTER) "," SPLIT(QWEN2, ISOLATED), "false", "laguna" },
        { SPLIT(NEWLINES, ISOLATED) "," SPLIT(QWEN2, ISOLATED), "false", NULL },
        { SPLIT("\\\\p{N}{1,3}", ISOLATED) "," SPLIT(SUFFIX "|" WORD "+" REST, ISOLATED), "true",
          "minicpm5" },
        { SPLIT(APOS "(?i:[sdmt]|ll|ve|re)|" WORD "{1,3}" REST_LFM, ISOLATED), "true",
          "llama-bpe" },
        { SPLIT(SUFFIX "|" WORD "{1,3}" REST, REMOVED), "true", "llama-bpe" },
        { SPLIT(SUFFIX "|" WORD "{1,3}" REST, "'behavior':'Removed'"), "true", NULL },
        { SPLIT("\\\\p{N}{1,3}", REMOVED) "," SPLIT(SUFFIX "|" WORD "+" REST, ISOLATED), "true",
          NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[2000];
        lory_err err = { 0 };
        snprintf(text, sizeof text,
                 "{'pre_tokenizer':" STEPS("%s") ",'model':{'ignore_merges':%s}}", cases[i][0],
                 cases[i][1]);
        const char *name = name_of(text, &err), *want = cases[i][2];
        CHECK(name == want || (name && want && strcmp(name, want) == 0), "case %zu: %s", i,
              name ? name : err.text);
    }
}

/* Merges by score must do what merges by rank do: "ab" before "bc" in "abc". */
TEST(merges_with_byte_fallback_become_scores)
{
    gguf g;
    hf_test t = hf_begin_vocab("fallback", "");
    hf_json(
        &t, "tokenizer.json",
        "{'added_tokens':[{'id':0,'content':'<unk>','special':true},{'id':9,"
        "'content':'\u2581\u2581x','special':false}],'normalizer':{'type':'Sequence',"
        "'normalizers':[{'type':'Prepend','prepend':'\u2581'},{'type':'Replace',"
        "'pattern':{'String':' '},'content':'\u2581'}]},"
        "'post_processor':{'type':'TemplateProcessing','single':[{'SpecialToken':{'id':'<s>'}},"
        "{'Sequence':{'id':'A'}}]},'model':{'type':'BPE','byte_fallback':true,'unk_token':'<unk>',"
        "'vocab':{'<unk>':0,'<0x41>':1,'a':2,'b':3,'c':4,'bc':5,'ab':6,'abc':7},'merges':['a b',"
        "'b c','ab c','a bc']}}");
    if (!hf_must_make(&t, &g)) return;
    const gguf_kv *scores = gguf_find(&g, "tokenizer.ggml.scores");
    REQUIRE(scores && scores->n == HF_N_VOCAB);
    hf_check_str(&g, "tokenizer.ggml.model", "llama");
    hf_check_list(&g, "tokenizer.ggml.token_type", "261111115455");
    hf_check_list(&g, "tokenizer.ggml.tokens",
                  "<unk>|<0x41>|a|b|c|bc|ab|abc|[PAD8]|  x|[PAD10]|[PAD11]");
    double ab = gguf_float_at(scores, 6), bc = gguf_float_at(scores, 5),
           abc = gguf_float_at(scores, 7);
    CHECK(ab > bc && bc > abc && abc > gguf_float_at(scores, 2), "%g %g %g", ab, bc, abc);
    CHECK(!gguf_find(&g, "tokenizer.ggml.merges"));
    hf_check_int(&g, "tokenizer.ggml.add_space_prefix", 1);
    hf_check_int(&g, "tokenizer.ggml.add_bos_token", 1),
        hf_check_int(&g, "tokenizer.ggml.add_eos_token", 0);
    gguf_close(&g);
}

TEST(gemma_4_keeps_its_merges)
{
    gguf g;
    hf_test t = hf_begin_class("Gemma4ForCausalLM", "gemma4", "");
    hf_json(
        &t, "tokenizer.json",
        "{'added_tokens':[{'id':0,'content':'<unk>','special':true},{'id':7,"
        "'content':'<|tool_call>','special':true}],'normalizer':{'type':'Replace',"
        "'pattern':{'String':' '},'content':'\u2581'},'model':{'type':'BPE','byte_fallback':true,"
        "'unk_token':'<unk>','vocab':{'<unk>':0,'<0x41>':1,'a':2,'b':3,'\u2581':4,'ab':5,"
        "'\u2581ab':6},'merges':[['a','b'],['\u2581','ab']]}}");
    if (!hf_must_make(&t, &g)) return;
    hf_check_str(&g, "tokenizer.ggml.model", "gemma4");
    hf_check_list(&g, "tokenizer.ggml.merges", "a b|\u2581 ab");
    CHECK(!gguf_find(&g, "tokenizer.ggml.scores"));
    hf_check_list(&g, "tokenizer.ggml.token_type", "261111145555");
    hf_check_int(&g, "tokenizer.ggml.add_space_prefix", 0);
    gguf_close(&g);
}

TEST(unigram_pieces_keep_their_scores_and_map)
{
    gguf g;
    hf_test t = hf_begin_vocab("unigram", "");
    hf_json(
        &t, "tokenizer.json",
        "{'added_tokens':[],'normalizer':{'type':'Precompiled','precompiled_charsmap':'AAEC/w=='},"
        "'pre_tokenizer':{'type':'Metaspace','prepend_scheme':'never'},'model':{'type':'Unigram',"
        "'unk_id':1,'vocab':[['a',-1.5],['<unk>',0]]}}");
    if (!hf_must_make(&t, &g)) return;
    const gguf_kv *map = gguf_find(&g, "tokenizer.ggml.precompiled_charsmap");
    hf_check_str(&g, "tokenizer.ggml.model", "t5");
    CHECK(map && map->elem == GGUF_U8 && map->n == 4 && memcmp(map->data, "\0\1\2\xff", 4) == 0);
    hf_check_float(&g, "tokenizer.ggml.scores", -1.5);
    hf_check_int(&g, "tokenizer.ggml.unknown_token_id", 1);
    hf_check_int(&g, "tokenizer.ggml.add_space_prefix", 0);
    gguf_close(&g);
}

/* Files of the first versions do not name the type. */
TEST(a_list_of_pieces_is_a_unigram_model)
{
    gguf g;
    hf_test t = hf_begin_vocab("list", "");
    hf_json(&t, "tokenizer.json",
            "{'pre_tokenizer':{'type':'Metaspace','replacement':'\u2581'},'model':{'unk_id':1,"
            "'vocab':[['a',-1.5],['<unk>',0]]}}");
    if (!hf_must_make(&t, &g)) return;
    hf_check_str(&g, "tokenizer.ggml.model", "t5");
    hf_check_float(&g, "tokenizer.ggml.scores", -1.5);
    gguf_close(&g);
    refuse_json("nameless", "{'model':{" VOCAB "}}",
                "/tokenizer.json: a model of no type is not known (known: BPE of bytes, BPE with "
                "byte fallback, Unigram)");
}

/* ---- what a tokenizer.json does besides its model ------------------------------------------- */

#define SP_MODEL(more)                                                                             \
    "{'type':'BPE','byte_fallback':true,'vocab':{'a':0,'b':1,'\u2581':2,'ab':3,'\u2581ab':4,"      \
    "'b\u2581':5}," more "'merges':['a b','\u2581 ab','b \u2581']}"
#define UNIGRAM           "{'type':'Unigram','vocab':[['a',-1],['\u2581a',-1],['a\u2581b',-1]]}"
#define BYTES_OF(more)    "{'type':'BPE'," VOCAB "," more "'merges':[]}"
#define META(more)        "{'type':'Metaspace','replacement':'\u2581'" more "}"
#define TO_MARK           "{'type':'Replace','pattern':{'String':' '},'content':'\u2581'}"
#define LEVEL(more)       "{'type':'ByteLevel','add_prefix_space':false" more "}"
#define TYPE(name)        "{'type':'" name "'}"
#define DECODER           ",'decoder':{'type':'ByteLevel'}"
#define TOKENIZER(norm, pre, model)                                                                \
    "{'normalizer':" norm ",'pre_tokenizer':" pre ",'model':" model "}"
#define LIST(name, parts) "{'type':'Sequence','" name "':[" parts "]}"

/* normalizer, pre_tokenizer, model: the end of the sentence that refuses them */
static const char *const refused_parts[][4] = {
    { TYPE("NFKC"), LEVEL(""), BYTES_OF(""), "the normalizer 'NFKC' is not known" },
    { LIST("normalizers", TYPE("NFC") "," TYPE("Lowercase")), LEVEL(""), BYTES_OF(""),
      "the normalizer 'Lowercase' is not known" },
    { "null", "{'type':'ByteLevel','add_prefix_space':true}", BYTES_OF(""),
      "a blank before the text (add_prefix_space of 'ByteLevel') is not known" },
    { "null", SPLIT("\\\\p{N}", ISOLATED), BYTES_OF("") DECODER,
      "is not known (step 1 is '\\p{N}')" },
    { "null", SPLIT(QWEN2, ISOLATED), BYTES_OF("") DECODER,
      "no 'ByteLevel' makes bytes of the words" },
    { "null",
      LIST("pretokenizers",
           SPLIT(QWEN2, "'behavior':'Contiguous'") "," LEVEL(",'use_regex':false")),
      BYTES_OF(""), "(step 1 is 'Contiguous (?i:" },
    { "null", LIST("pretokenizers", LEVEL(",'use_regex':false") "," SPLIT(QWEN2, ISOLATED)),
      BYTES_OF(""), "(step 1 is 'ByteLevel')" },
    { "null",
      LIST("pretokenizers", "{'type':'Punctuation','behavior':'Isolated'}," LEVEL("") "," SPLIT(
                                "[0-9][0-9][0-9]", ISOLATED)),
      BYTES_OF(""), "(step 1 is 'Punctuation')" },
    { "null", LEVEL(""), BYTES_OF("'end_of_word_suffix':'</w>',"),
      "the end_of_word_suffix '</w>' is not known" },
    { "null", LEVEL(""), BYTES_OF("'unk_token':'a','fuse_unk':true,"),
      "one unknown token for several bytes (fuse_unk) is not known" },
    { TYPE("NFKC"), META(""), SP_MODEL(""), "the normalizer 'NFKC' is not known" },
    { "null", LIST("pretokenizers", TYPE("Digits") "," META("")), SP_MODEL(""),
      "the pre_tokenizer 'Digits' is not known" },
    { "null", "{'type':'Metaspace','replacement':'_'}", SP_MODEL(""),
      "the pre_tokenizer 'Metaspace' is not known" },
    { "null", "null", SP_MODEL(""), "turns blanks into U+2581" },
    { "null", META(""), SP_MODEL(""), "pieces of several words (piece 5)" },
    { TO_MARK, "null", SP_MODEL("'continuing_subword_prefix':'##',"),
      "the continuing_subword_prefix '##' is not known" },
    { TYPE("Strip"), META(""), UNIGRAM, "the normalizer 'Strip' is not known" },
    { "null", TYPE("Whitespace"), UNIGRAM, "the pre_tokenizer 'Whitespace' is not known" },
    { TYPE("BertNormalizer"), TYPE("Whitespace"),
      "{'type':'BPE','end_of_word_suffix':'</w>'," VOCAB ",'merges':[]}",
      "the pre_tokenizer 'Whitespace' is not known" },
    { "{'type':'BertNormalizer','lowercase':false}", TYPE("BertPreTokenizer"),
      "{'type':'BPE','end_of_word_suffix':'</w>'," VOCAB ",'merges':[]}",
      "the normalizer 'BertNormalizer' is not known" },
    { "null", "null", "{'type':'BPE','end_of_word_suffix':'</w>'," VOCAB ",'merges':[]}",
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
        hf_test t = hf_begin_vocab("parts", "");
        snprintf(text, sizeof text, TOKENIZER("%s", "%s", "%s"), c[0], c[1],
                 c[2]);
        hf_json(&t, "tokenizer.json", text);
        CHECK(!hf_make(&t, RETYPE_KEEP, &g, &notes, &err), "case %zu: converted", i);
        CHECK(strstr(err.text, c[3]), "case %zu: %s", i, err.text);
        gguf_close(&g);
        buf_free(&notes);
    }
}

/* Merges by score would also make "abc" of "a" and "bc", and so on. */
TEST(merges_that_scores_cannot_stand_for_are_refused)
{
    refuse_json(
        "tree",
        "{'normalizer':" TO_MARK
        ",'model':{'type':'BPE','byte_fallback':true,'vocab':{'a':0,'b':1,'c':2,'ab':3,'bc':4,"
        "'abc':5,'abca':6,'ca':7},'merges':['a b','b c','ab c','abc a','c a']}}",
        "/tokenizer.json: the merges are not of a SentencePiece model (5; there are 7 "
        "pairs of pieces that make a piece)");
}

TEST(blanks_are_joined_where_the_folder_joins_them)
{
    static const char *const cases[][3] = {
        { "null", META(""), "0" },
        { "null", LIST("pretokenizers", TYPE("WhitespaceSplit") "," META("")), "1" },
        { LIST("normalizers",
               TYPE("Strip") ",{'type':'Replace','pattern':{'Regex':' {2,}'},'content':'\u2581'}"),
          META(""), "1" },
    };
    char text[1000];
    for (int i = 0; i < 3; i++) {
        gguf g;
        hf_test t = hf_begin_vocab("joined", "");
        snprintf(text, sizeof text, TOKENIZER("%s", "%s", UNIGRAM),
                 cases[i][0], cases[i][1]);
        hf_json(&t, "tokenizer.json", text);
        if (!hf_must_make(&t, &g)) return;
        hf_check_int(&g, "tokenizer.ggml.remove_extra_whitespaces", cases[i][2][0] - '0');
        hf_check_list(&g, "tokenizer.ggml.token_type",
                      "115555555555"); /* "a b" is never one word */
        gguf_close(&g);
    }
}

/* LLM-jp's files mark blanks, and where a text begins, by expressions. */
TEST(a_blank_before_the_text_may_be_an_expression)
{
#define REGEX(expr) "{'type':'Replace','pattern':{'Regex':'" expr "'},'content':'\u2581'}"
#define PREPEND(s)  "{'type':'Prepend','prepend':'" s "'}"
    static const char *const cases[][3] = {
        { REGEX(" "), "null", "0" },
        { LIST("normalizers", REGEX("(?<!\\\\n)^") "," REGEX(" ")), "null", "1" },
        { LIST("normalizers", REGEX("(?<!\\\\n)^| ") "," REGEX(" ")), "null", "1" },
        { PREPEND("\u2581"), META(",'split':false,'add_prefix_space':false"), "1" },
    };
    char text[1000];
    for (int i = 0; i < 4; i++) {
        gguf g;
        hf_test t = hf_begin_vocab("start", "");
        snprintf(text, sizeof text, TOKENIZER("%s", "%s", UNIGRAM),
                 cases[i][0], cases[i][1]);
        hf_json(&t, "tokenizer.json", text);
        if (!hf_must_make(&t, &g)) return;
        hf_check_int(&g, "tokenizer.ggml.add_space_prefix", cases[i][2][0] - '0');
        hf_check_int(&g, "tokenizer.ggml.remove_extra_whitespaces", 0);
        gguf_close(&g);
    }
    refuse_json("everyline", /* every line gets a mark */
                TOKENIZER(LIST("normalizers", REGEX("^") "," REGEX(" ")), "null", UNIGRAM),
                "/tokenizer.json: the normalizer 'Replace' is not known for a model of this kind "
                "as it is set there");
}

/* As Helium's files do. */
TEST(newlines_that_are_words_apart_are_in_no_other_piece)
{
    gguf g;
    hf_test t = hf_begin_vocab("lines", "");
    hf_json(&t, "tokenizer.json",
            TOKENIZER(LIST("normalizers", PREPEND(" ") "," TO_MARK),
                      LIST("pretokenizers", "{'type':'Split','pattern':{'String':'\\n'},"
                                            "'behavior':'Contiguous','invert':false}"),
                      "{'type':'Unigram','vocab':[['a',-1],['\\n\\n',-1],['a\\n',-1],"
                      "['\u2581a\u2581',-1]]}"));
    if (!hf_must_make(&t, &g)) return;
    hf_check_int(&g, "tokenizer.ggml.add_space_prefix", 1);
    hf_check_list(&g, "tokenizer.ggml.token_type", "115155555555");
    gguf_close(&g);
}

#define SPECIALS                                                                                   \
    "'special_tokens':{'<s>':{'id':'<s>','ids':[6]},'<x>':{'id':'<x>','ids':[8]}}"
#define TEMPLATE(single) "{'type':'TemplateProcessing','single':[" single "]," SPECIALS "}"
#define TOKEN(name)      "{'SpecialToken':{'id':'" name "'}}"
#define TEXT_A           "{'Sequence':{'id':'A'}}"

TEST(tokens_around_a_text_are_those_of_the_post_processor)
{
    static const struct {
        const char *processor, *config;
        int bos, eos, sep, add_bos, add_eos, add_sep; /* -1: the key is absent */
    } cases[] = {
        { TEMPLATE(TOKEN("<s>") "," TEXT_A), "", 6, -1, -1, 1, 0, -1 },
        { TEMPLATE(TOKEN("<x>") "," TEXT_A), "'bos_token':'<s>'", 8, -1, -1, 1, 0, -1 },
        { TEMPLATE(TEXT_A "," TOKEN("<x>")), "", -1, 8, -1, 0, 1, -1 },
        { TEMPLATE(TEXT_A "," TOKEN("<x>")), "'eos_token':'<s>'", -1, 6, 8, 0, 0, 1 },
        { TEMPLATE(TEXT_A), "", -1, -1, -1, 0, 0, -1 },
        { TEMPLATE(TEXT_A), "'add_bos_token':true", -1, -1, -1, 1, 0, -1 },
        { "{'type':'RobertaProcessing','cls':['<s>',6],'sep':['<x>',8]}", "", 6, 8, -1, 1, 1, -1 },
        { LIST("processors", LEVEL("") "," TEMPLATE(TOKEN("<s>") "," TEXT_A)), "", 6, -1, -1, 1, 0,
          -1 },
        { LEVEL(""), "", -1, -1, -1, -1, -1, -1 },
        { LEVEL(""), "'tokenizer_class':'PreTrainedTokenizerFast'", -1, -1, -1, 0, 0, -1 },
        { LEVEL(""), "'tokenizer_class':'TokenizersBackend'", -1, -1, -1, 0, 0, -1 },
    };
    char text[1500];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gguf g;
        hf_test t = hf_begin_vocab("around", "");
        snprintf(text, sizeof text,
                 "{" ADDED "," BYTE_LEVEL ",'post_processor':%s,'model':{" VOCAB
                 ",'merges':['a b']}}",
                 cases[i].processor);
        hf_json(&t, "tokenizer.json", text);
        snprintf(text, sizeof text, "{%s}", cases[i].config);
        hf_json(&t, "tokenizer_config.json", text);
        if (!hf_must_make(&t, &g)) return;
        hf_check_int(&g, "tokenizer.ggml.bos_token_id", cases[i].bos);
        hf_check_int(&g, "tokenizer.ggml.eos_token_id", cases[i].eos);
        hf_check_int(&g, "tokenizer.ggml.seperator_token_id", cases[i].sep);
        hf_check_int(&g, "tokenizer.ggml.add_bos_token", cases[i].add_bos);
        hf_check_int(&g, "tokenizer.ggml.add_eos_token", cases[i].add_eos);
        hf_check_int(&g, "tokenizer.ggml.add_sep_token", cases[i].add_sep);
        gguf_close(&g);
    }
}

TEST(what_gguf_cannot_say_of_texts_is_said)
{
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test t = hf_begin_vocab("lost", "");
    hf_json(&t, "tokenizer.json",
            "{'added_tokens':[{'id':5,'content':'<x>','rstrip':true}],'normalizer':{'type':'NFC'},"
            "'pre_tokenizer':" STEPS(SPLIT("\\\\p{N}{1,3}", ISOLATED) ","
                                     SPLIT("[一-龥\u3040-ゟ゠-ヿ]+", ISOLATED) ","
                                     SPLIT(DEEPSEEK3, ISOLATED))
            ",'post_processor':" TEMPLATE(TOKEN("<s>") "," TOKEN("<x>") "," TEXT_A)
            ",'model':{" VOCAB ",'merges':['a b']}}");
    REQUIRE(hf_make(&t, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    CHECK(strstr(notes.data, ": 1 added tokens take white space along"), "%s", notes.data);
    CHECK(strstr(notes.data, "can't say of a pre-tokenizer 'deepseek-v3'"), "%s", notes.data);
    CHECK(strstr(notes.data, ": texts get none of the 2 tokens that tokenizer.json puts before"),
          "%s", notes.data);
    hf_check_int(&g, "tokenizer.ggml.add_bos_token", 0);
    gguf_close(&g);
    buf_free(&notes);
}

TEST(a_byte_without_a_token_is_unknown_where_the_folder_says_so)
{
    gguf g;
    lory_err err = { 0 };
    tokenizer tok;
    hf_test t = hf_begin_vocab("unknown-bytes", "");
    hf_json(&t, "tokenizer.json",
            "{" BYTE_LEVEL
            ",'model':{'unk_token':'?','vocab':{'a':0,'b':1,'?':2,'ab':3},'merges':['a b']}}");
    if (!hf_must_make(&t, &g)) return;
    hf_check_list(&g, "tokenizer.ggml.token_type", "112155555555");
    hf_check_int(&g, "tokenizer.ggml.unknown_token_id", 2);
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
    hf_test t = hf_begin_vocab("words", "");
    hf_json(&t, "tokenizer.json",
            "{'added_tokens':[{'id':7,'content':'b a '}],'normalizer':" TO_MARK
            ",'model':" SP_MODEL("") "}");
    if (!hf_must_make(&t, &g)) return;
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
    hf_test t = hf_begin_vocab("no-merges", "");
    hf_json(&t, "tokenizer.json", "{" BYTE_LEVEL ",'model':{'vocab':{'a':0,'b':1},'merges':[]}}");
    if (!hf_must_make(&t, &g)) return;
    CHECK(tokenizer_init(&tok, &g, &err), "%s", err.text);
    tokenizer_free(&tok);
    gguf_close(&g);
}

TEST(tokens_without_a_row_are_left_out_and_said)
{
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test t = hf_begin_vocab("more-tokens", "");
    hf_json(&t, "tokenizer.json",
            "{'added_tokens':[{'id':12,'content':'<x>','special':true}]," BYTE_LEVEL
            ",'model':{" VOCAB ",'merges':[]}}");
    REQUIRE(hf_make(&t, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    CHECK(strstr(notes.data, ": 1 tokens are left out, because the embedding has 12 rows\n"));
    gguf_close(&g);
    buf_free(&notes);
}
