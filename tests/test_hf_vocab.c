/* test_hf_vocab.c - vocabularies of Hugging Face folders in other forms than tokenizer.json (whose
 * tests are test_vocab_json.c); what becomes of templates, of special tokens and of advice on
 * sampling; conversions that fail. */
#include "base/mem.h"
#include "hf_folder.h"
#include <stdlib.h>
#include <sys/stat.h>

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
        hf_test t = hf_begin_vocab(type == 1 ? "sp-unigram" : "sp-bpe", ",'bos_token_id':1");
        hf_file(&t, "tokenizer.model", b.data, b.len);
        hf_json(&t, "added_tokens.json", "{'<pad>':6,'more':7}");
        hf_json(&t, "tokenizer_config.json",
                "{'added_tokens_decoder':{'8':{'content':'<x>','special':true}},"
                "'pad_token':{'content':'<pad>'}}");
        if (!hf_must_make(&t, &g)) return;
        hf_check_str(&g, "tokenizer.ggml.model", type == 1 ? "t5" : "llama");
        hf_check_list(&g, "tokenizer.ggml.tokens",
                      "<unk>|<s>|\u2581a|<0x0A>|user|[PAD5]|<pad>|more|<x>|[PAD9]|[PAD10]|[PAD11]");
        hf_check_list(&g, "tokenizer.ggml.token_type", "231645343555");
        hf_check_float(&g, "tokenizer.ggml.scores", -0.5);
        hf_check_int(&g, "tokenizer.ggml.bos_token_id", 1);
        hf_check_int(&g, "tokenizer.ggml.padding_token_id", 6);
        hf_check_int(&g, "tokenizer.ggml.add_space_prefix", 0);
        hf_check_int(&g, "tokenizer.ggml.remove_extra_whitespaces", 0);
        CHECK(gguf_find(&g, "tokenizer.ggml.precompiled_charsmap"));
        gguf_close(&g);
        buf_free(&b);
    }
}

TEST(damaged_sentencepiece_models_are_refused_wherever_they_are_cut)
{
    buf b = sentencepiece(2);
    hf_test t = hf_begin_vocab("sp-cut", "");
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
    hf_test t = hf_begin_vocab("plamo-lines", "");
    hf_json(&t, "tokenizer.jsonl",
            "['<unk>', 0.0, 'UNKNOWN', null]\n['<s>',0,'CONTROL']\r\n\n['<0x41>',-3,"
            "'BYTE']\n['\\u3042',-1.5,'NORMAL']\n['<|plamo:op|>',-7,'NORMAL']");
    hf_json(&t, "tokenizer_config.json", "{'bos_token':'<s>'}");
    if (!hf_must_make(&t, &g)) return;
    hf_check_str(&g, "tokenizer.ggml.model", "plamo2");
    hf_check_list(&g, "tokenizer.ggml.tokens",
                  "<unk>|<s>|<0x41>|\u3042|<|plamo:op|>|[PAD5]|[PAD6]|[PAD7]|[PAD8]|[PAD9]|[PAD10]|"
                  "[PAD11]");
    hf_check_list(&g, "tokenizer.ggml.token_type", "236135555555");
    hf_check_int(&g, "tokenizer.ggml.bos_token_id", 1);
    hf_check_int(&g, "tokenizer.ggml.eot_token_id", 4);
    hf_check_int(&g, "tokenizer.ggml.add_space_prefix", 0);
    gguf_close(&g);
    t = hf_begin_vocab("plamo-wrong", "");
    hf_json(&t, "tokenizer.jsonl", "['a',0]\n['b']\n");
    hf_refused(&t, "/tokenizer.jsonl: line 2 is no list of a text, a score and a type");
}

TEST(the_lines_of_rwkv_are_read)
{
    static const char *const wrong[] = { "2 'ab' 3",
                                         "2 'ab 2",
                                         "2 b'\\u0041' 1",
                                         "x 'a' 1",
                                         "2 '\\x4' 1",
                                         "2 '' 0",
                                         "2",
                                         "2 'a'",
                                         "2 'a' 1 ",
                                         "2 '\\' 1",
                                         "2 '\\Uffffffff' 1",
                                         "2 '\\x\x14\x11' 1" };
    gguf g;
    hf_test t = hf_begin_vocab("rwkv-lines", "");
    hf_text(&t, "rwkv_vocab_v20230424.txt",
            "1 '\\x00' 1\n2 b'\\xe3\\x81' 2\n3 '\u3042 x' 5\n4 \"it's\" 4\n5 '\\\\\\n' 2\n"
            "6 '\\'\"' 2\n7 '\\u00e9' 2\n");
    if (!hf_must_make(&t, &g)) return;
    hf_check_str(&g, "tokenizer.ggml.model", "rwkv");
    hf_check_list(
        &g, "tokenizer.ggml.tokens",
        "<s>|\\x00|\\xe3\\x81|\\xe3\\x81\\x82 x|it's|\\\\\\n|\\'\"|\\xc3\\xa9|[PAD8]|[PAD9]|"
        "[PAD10]|[PAD11]");
    hf_check_list(&g, "tokenizer.ggml.token_type", "311111115555");
    hf_check_int(&g, "tokenizer.ggml.eos_token_id", 0);
    hf_check_int(&g, "tokenizer.ggml.eot_token_id", -1);
    gguf_close(&g);
    t = hf_begin_vocab("rwkv-wrong", "");
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
    hf_test t = hf_begin_vocab("files", "");
    hf_json(&t, "vocab.json", "{'a':0,'b':1,'ab':2,'<|endoftext|>':3}");
    hf_text(&t, "merges.txt", "#version: 0.2\na b\n\n# ab\r\n");
    hf_json(&t, "special_tokens_map.json", "{'eos_token':'<|endoftext|>'}");
    hf_json(&t, "tokenizer_config.json",
            "{'tokenizer_class':'GPT2Tokenizer','eos_token':'<|endoftext|>'}");
    if (!hf_must_make(&t, &g)) return;
    hf_check_str(&g, "tokenizer.ggml.pre", "gpt-2");
    hf_check_list(&g, "tokenizer.ggml.merges", "a b|# ab");
    hf_check_list(&g, "tokenizer.ggml.token_type", "111355555555");
    hf_check_int(&g, "tokenizer.ggml.eos_token_id", 3);
    gguf_close(&g);
    hf_test bad = hf_begin_vocab("bad-files", "");
    hf_json(&bad, "vocab.json", "{'a':0}");
    hf_text(&bad, "merges.txt", "a b c\n");
    hf_refused(&bad, "/merges.txt: line 1 is no pair of tokens");
    hf_json(&bad, "tokenizer_config.json", "{'tokenizer_class':'NewTokenizer'}");
    hf_refused(&bad, ": how the tokenizer_class 'NewTokenizer' cuts text is not known without a "
                     "tokenizer.json");
}

TEST(tiktoken_ranks_become_merges)
{
    gguf g;
    hf_test t = hf_begin_vocab("tiktoken", "");
    /* a b c " " ab " a" abc(= ab c), in another order of lines */
    hf_text(&t, "tokenizer.model", "YQ== 0\nYg== 1\nYw== 2\nIA== 3\nYWJj 6\nYWI= 4\nIGE= 5\n");
    if (!hf_must_make(&t, &g)) return;
    hf_check_list(&g, "tokenizer.ggml.tokens",
                  "a|b|c|\u0120|ab|\u0120a|abc|[PAD7]|[PAD8]|[PAD9]|[PAD10]|[PAD11]");
    hf_check_list(&g, "tokenizer.ggml.merges", "a b|\u0120 a|ab c");
    gguf_close(&g);
    hf_test bad = hf_begin_vocab("bad-tiktoken", "");
    hf_text(&bad, "tokenizer.model", "YQ== 0\nY?== 1\n");
    hf_refused(&bad, "/tokenizer.model: line 2 is no token with its rank");
}

TEST(the_first_qwen_has_its_special_tokens_behind_the_ranks)
{
    gguf g;
    hf_test t = hf_begin_vocab("qwen", "");
    hf_json(&t, "config.json",
            "{'architectures':['QWenLMHeadModel'],'hidden_size':4,'num_hidden_layers':1,"
            "'num_attention_heads':1,'intermediate_size':8,'seq_length':64,'vocab_size':12}");
    hf_add(&t, "transformer.wte.weight", HF_N_VOCAB, 4, 0.0f);
    hf_weights(&t, "model.safetensors");
    hf_text(&t, "qwen.tiktoken", "YQ== 0\nYg== 1\nYw== 2\nIA== 3\nYWI= 4\n");
    if (!hf_must_make(&t, &g)) return;
    hf_check_str(&g, "tokenizer.ggml.pre", "qwen2");
    hf_check_list(&g, "tokenizer.ggml.tokens",
                  "a|b|c|\u0120|ab|<|endoftext|>|<|im_start|>|<|im_end|>|<|extra_0|>|<|extra_1|>|"
                  "<|extra_2|>|<|extra_3|>");
    hf_check_list(&g, "tokenizer.ggml.token_type", "111113333333");
    gguf_close(&g);
}

/* ---- templates, ids, sampling ---------------------------------------------------------------- */

TEST(templates_ids_and_advice_are_carried_over)
{
    gguf g;
    hf_test t = hf_begin_vocab("carried", ",'eos_token_id':[7,8]");
    hf_json(&t, "tokenizer_config.json",
            "{'add_bos_token':true,'chat_template':[{'name':'default','template':'A'},"
            "{'name':'rag','template':'B'}]}");
    hf_json(&t, "generation_config.json",
            "{'eos_token_id':[7,8,9],'temperature':0.6,'top_k':20,'top_p':0.95,"
            "'repetition_penalty':1.05}");
    if (!hf_must_make(&t, &g)) return;
    hf_check_int(&g, "tokenizer.ggml.eos_token_id", 7),
        hf_check_int(&g, "tokenizer.ggml.eot_token_id", 8);
    hf_check_int(&g, "tokenizer.ggml.eom_token_id", 9),
        hf_check_int(&g, "tokenizer.ggml.add_bos_token", 1);
    hf_check_str(&g, "tokenizer.chat_template", "A"),
        hf_check_str(&g, "tokenizer.chat_template.rag", "B");
    hf_check_list(&g, "tokenizer.chat_templates", "rag");
    hf_check_float(&g, "general.sampling.temp", 0.6),
        hf_check_int(&g, "general.sampling.top_k", 20);
    hf_check_float(&g, "general.sampling.top_p", 0.95);
    hf_check_float(&g, "general.sampling.penalty_repeat", 1.05);
    gguf_close(&g);
    hf_text(&t, "chat_template.jinja", "C");
    hf_json(&t, "generation_config.json", "{'do_sample':false,'temperature':0.6}");
    if (!hf_must_make(&t, &g)) return;
    hf_check_str(&g, "tokenizer.chat_template", "C");
    CHECK(!gguf_find(&g, "general.sampling.temp") && !gguf_find(&g, "tokenizer.chat_templates"));
    gguf_close(&g);
}

TEST(templates_in_a_folder_of_their_own_are_carried_over)
{
    char path[600];
    gguf g;
    hf_test t = hf_begin_vocab("more", "");
    snprintf(path, sizeof path, "%s/additional_chat_templates", t.path);
    REQUIRE(mkdir(path, 0700) == 0);
    hf_text(&t, "chat_template.jinja", "C");
    hf_text(&t, "additional_chat_templates/tool_use.jinja", "T");
    hf_text(&t, "additional_chat_templates/rag.jinja", "R");
    hf_text(&t, "additional_chat_templates/README.md", "no template");
    if (!hf_must_make(&t, &g)) return;
    hf_check_str(&g, "tokenizer.chat_template", "C");
    hf_check_str(&g, "tokenizer.chat_template.rag", "R");
    hf_check_str(&g, "tokenizer.chat_template.tool_use", "T");
    hf_check_list(&g, "tokenizer.chat_templates", "rag|tool_use");
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
    hf_test t = hf_begin_vocab("stopped", "");
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
    hf_test t = hf_begin_vocab("memory", ",'rope_scaling':{'rope_type':'llama3'}");
    hf_json(&t, "tokenizer.json",
            "{'added_tokens':[{'id':5,'content':'<|end|>'},"
            "{'id':6,'content':'<s>','special':true}],"
            "'pre_tokenizer':{'type':'ByteLevel','add_prefix_space':false},"
            "'model':{'type':'BPE','vocab':{'a':0,'b':1,'ab':2},'merges':['a b']}}");
    hf_json(&t, "tokenizer_config.json", "{'chat_template':[{'name':'default','template':'A'}]}");
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
