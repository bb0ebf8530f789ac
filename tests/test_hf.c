/* test_hf.c - Hugging Face folders made here: where each row goes, what is refused. */
#include "hf_folder.h"
#include <math.h>
#include <unistd.h>

/* ---- a LLaMA of one or two layers ------------------------------------------------------------ */

enum { EMBD = 8, HEAD = 4, VOCAB = 5, FF = 6 }; /* 2 heads, 1 of keys */

static const char llama_config[] =
    "{'architectures':['LlamaForCausalLM'],'model_type':'llama','hidden_size':8,"
    "'num_hidden_layers':%d,'num_attention_heads':2,'num_key_value_heads':1,"
    "'intermediate_size':6,'max_position_embeddings':64,'rms_norm_eps':1e-5,'vocab_size':5%s}";

static void put_config(const hf_test *t, int n_layer, const char *more)
{
    char text[1000];
    snprintf(text, sizeof text, llama_config, n_layer, more);
    hf_json(t, "config.json", text);
}

static void add(hf_test *t, int il, const char *part, int rows, int cols)
{
    char name[100];
    snprintf(name, sizeof name, "model.layers.%d.%s.weight", il, part);
    hf_add(t, name, rows, cols, 1000.0f * (float)il);
}

static void add_layer(hf_test *t, int il)
{
    add(t, il, "input_layernorm", 0, EMBD), add(t, il, "post_attention_layernorm", 0, EMBD);
    add(t, il, "self_attn.q_proj", EMBD, EMBD), add(t, il, "self_attn.k_proj", HEAD, EMBD);
    add(t, il, "self_attn.v_proj", HEAD, EMBD), add(t, il, "self_attn.o_proj", EMBD, EMBD);
    add(t, il, "mlp.gate_proj", FF, EMBD), add(t, il, "mlp.up_proj", FF, EMBD);
    add(t, il, "mlp.down_proj", EMBD, FF);
}

static hf_test begin_llama(const char *name, int n_layer, const char *more)
{
    hf_test t = hf_begin(name);
    put_config(&t, n_layer, more);
    hf_add(&t, "model.embed_tokens.weight", VOCAB, EMBD, 0.0f);
    hf_add(&t, "model.norm.weight", 0, EMBD, 0.5f);
    for (int il = 0; il < n_layer; il++) add_layer(&t, il);
    return t;
}

TEST(rows_of_q_and_k_go_from_halves_to_pairs)
{
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test t = begin_llama("llama", 1, "");
    hf_weights(&t, "model.safetensors");
    REQUIRE(hf_make(&t, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    static const int from[EMBD] = { 0, 2, 1, 3, 4, 6, 5, 7 }; /* rows, by hand */
    for (int r = 0; r < EMBD; r++) {
        CHECK(hf_at(&g, "blk.0.attn_q.weight", EMBD * r + 3) == (float)(EMBD * from[r] + 3));
        if (r < HEAD) CHECK(hf_at(&g, "blk.0.attn_k.weight", EMBD * r) == (float)(EMBD * from[r]));
        CHECK(hf_at(&g, "blk.0.attn_output.weight", EMBD * r) == (float)(EMBD * r));
    }
    CHECK(hf_at(&g, "output_norm.weight", 1) == 1.5f);
    hf_check_str(&g, "general.architecture", "llama");
    hf_check_int(&g, "llama.block_count", 1), hf_check_int(&g, "llama.attention.head_count_kv", 1);
    hf_check_int(&g, "llama.rope.dimension_count", 4), hf_check_int(&g, "general.file_type", 0);
    CHECK(!gguf_find_tensor(&g, "output.weight"));
    CHECK(notes.data && strstr(notes.data, "has no tokenizer"), "%s", notes.data);
    gguf_close(&g);
    buf_free(&notes);
}

TEST(a_tied_output_and_buffers_are_named_as_unused)
{
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    char want[1400];
    hf_test t = begin_llama("tied", 2, ",'tie_word_embeddings':true");
    hf_add(&t, "lm_head.weight", VOCAB, EMBD, 0.0f);
    hf_add(&t, "model.layers.0.self_attn.rotary_emb.inv_freq", 0, 2, 0.0f);
    hf_add(&t, "model.layers.1.self_attn.rotary_emb.inv_freq", 0, 2, 0.0f);
    hf_weights(&t, "model.safetensors");
    REQUIRE(hf_make(&t, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    CHECK(!gguf_find_tensor(&g, "output.weight"));
    snprintf(
        want, sizeof want,
        "%s: not used: lm_head.weight\n%s: not used: model.layers.*.self_attn.rotary_emb.inv_freq "
        "(2)\n%s: has no tokenizer; the model will take token ids only\n",
        t.path, t.path, t.path);
    CHECK_STR(notes.data, want);
    gguf_close(&g);
    buf_free(&notes);
}

TEST(an_output_that_is_lost_is_said)
{
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    char want[1000];
    hf_test t = begin_llama("lost", 1, ",'tie_word_embeddings':false");
    hf_weights(&t, "model.safetensors");
    REQUIRE(hf_make(&t, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    snprintf(want, sizeof want,
             "%s: has no output matrix, though config.json says that it is not the embedding "
             "(tie_word_embeddings false)\n",
             t.path);
    CHECK(notes.data && strncmp(notes.data, want, strlen(want)) == 0, "%s", notes.data);
    gguf_close(&g);
    buf_free(&notes);
}

TEST(an_output_that_differs_from_the_embedding_is_kept)
{
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test t = begin_llama("untied", 1, ",'tie_word_embeddings':true");
    hf_add(&t, "lm_head.weight", VOCAB, EMBD, 7.0f);
    hf_weights(&t, "model.safetensors");
    REQUIRE(hf_make(&t, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    CHECK(hf_at(&g, "output.weight", 0) == 7.0f);
    gguf_close(&g);
    buf_free(&notes);
}

/* ---- shards ---------------------------------------------------------------------------------- */

static hf_test begin_shards(const char *name)
{
    hf_test t = begin_llama(name, 1, "");
    hf_weights(&t, "a.safetensors");
    hf_add(&t, "lm_head.weight", VOCAB, EMBD, 3.0f);
    hf_weights(&t, "b.safetensors");
    return t;
}

/* An index of all tensors; lm_head where it says, and a last line. */
static void put_index(const hf_test *t, const char *output_in, const char *more)
{
    static const char *const parts[] = { "input_layernorm",  "post_attention_layernorm",
                                         "self_attn.q_proj", "self_attn.k_proj",
                                         "self_attn.v_proj", "self_attn.o_proj",
                                         "mlp.gate_proj",    "mlp.up_proj",
                                         "mlp.down_proj" };
    buf b = { 0 };
    buf_puts(&b, "{'weight_map':{'model.embed_tokens.weight':'a.safetensors',"
                 "'model.norm.weight':'a.safetensors'");
    for (int i = 0; i < 9; i++)
        buf_printf(&b, ",'model.layers.0.%s.weight':'a.safetensors'", parts[i]);
    buf_printf(&b, ",'lm_head.weight':'%s'%s}}", output_in, more);
    hf_json(t, "model.safetensors.index.json", b.data);
    buf_free(&b);
}

TEST(shards_give_the_same_file_as_one)
{
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test t = begin_shards("shards");
    put_index(&t, "b.safetensors", "");
    REQUIRE(hf_make(&t, RETYPE_KEEP, &g, &notes, &err), "%s", err.text);
    CHECK(g.n_tensors == 12);
    CHECK(hf_at(&g, "output.weight", 1) == 4.0f && hf_at(&g, "blk.0.ffn_up.weight", 5) == 5.0f);
    gguf_close(&g);
    buf_free(&notes);
}

TEST(an_index_must_say_what_is_there)
{
    char want[1300];
    hf_test t = begin_shards("index");
    put_index(&t, "c.safetensors", "");
    hf_refused(&t, ": has no file c.safetensors, which model.safetensors.index.json names");
    put_index(&t, "a.safetensors", ",'x':'b.safetensors'");
    snprintf(want, sizeof want,
             "/model.safetensors.index.json: says that tensor 'lm_head.weight' is in a.safetensors "
             "(%s/b.safetensors)",
             t.path);
    hf_refused(&t, want);
    put_index(&t, "b.safetensors", ",'x':'b.safetensors'");
    hf_refused(&t, "/model.safetensors.index.json: says that tensor 'x' is in b.safetensors (it is "
                   "nowhere)");
    put_index(&t, "../b.safetensors", "");
    hf_refused(
        &t, "/model.safetensors.index.json: tensor 'lm_head.weight' is in no file of the folder");
    hf_json(&t, "model.safetensors.index.json",
            "{'weight_map':{'lm_head.weight':'b.safetensors'}}");
    hf_refused(&t, ": has no token embedding among its 1 tensors");
    hf_json(&t, "model.safetensors.index.json", "{}");
    hf_refused(&t, "/model.safetensors.index.json: has no \"weight_map\"");
}

/* ---- what is refused ------------------------------------------------------------------------- */

TEST(folders_that_lack_something_are_refused)
{
    hf_test t = hf_begin("bare");
    hf_refused(&t, ": has no config.json, as a Hugging Face model folder has");
    put_config(&t, 1, "");
    hf_refused(&t, ": has no model.safetensors and no model.safetensors.index.json");
    hf_text(&t, "pytorch_model.bin", "PK");
    hf_refused(&t, ": has PyTorch weights only (pytorch_model.bin); lory reads safetensors");
    hf_json(&t, "config.json", "[]");
    hf_refused(&t, "/config.json: is no JSON object");
    hf_text(&t, "config.json", "version https://git-lfs.github.com/spec/v1\nsize 1\n");
    hf_refused(&t, "/config.json: is a git-lfs pointer, not the file itself; run 'git lfs pull'");
}

TEST(a_file_that_is_there_and_cannot_be_read_is_never_left_out)
{
    static const char *const names[] = { "config.json",           "model.safetensors",
                                         "tokenizer.model",       "tokenizer.json",
                                         "tokenizer_config.json", "generation_config.json" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[500], want[100];
        hf_test t = begin_llama(names[i], 1, "");
        hf_weights(&t, "model.safetensors");
        snprintf(path, sizeof path, "%s/%s", t.path, names[i]);
        snprintf(want, sizeof want, "/%s: cannot open: No such file or directory", names[i]);
        unlink(path);
        REQUIRE(symlink("nothing", path) == 0);
        hf_refused(&t, want);
    }
}

TEST(what_a_config_asks_for_and_is_not_known_is_named)
{
    hf_test t = begin_llama("unknown", 1, "");
    hf_weights(&t, "model.safetensors");
    put_config(&t, 1, ",'architectures':['NewForCausalLM'],'model_type':'new'");
    hf_refused(&t, ": models of architecture 'NewForCausalLM' (model_type 'new') are not known to "
                   "convert");
    put_config(&t, 1, ",'hidden_act':'relu6'");
    hf_refused(&t, ": activation 'relu6' is not known (known: silu swish)");
    put_config(&t, 1, ",'rope_scaling':{'type':'dynamic','factor':2}");
    hf_refused(&t,
               ": RoPE scaling 'dynamic' is not known (known: default none linear yarn llama3)");
    put_config(&t, 1, ",'rope_scaling':{'factor':2}");
    hf_refused(&t, ": config.json has a \"rope_scaling\" that is not one object with a "
                   "\"rope_type\"");
    put_config(&t, 1, ",'rope_parameters':{'full_attention':{'rope_type':'linear'}}");
    hf_refused(&t, ": config.json has a \"rope_parameters\" that is not one object with a "
                   "\"rope_type\"");
    put_config(&t, 1, ",'is_causal':false");
    hf_refused(&t, ": attention in both directions (is_causal false) is not known");
    put_config(&t, 1, ",'use_bidirectional_attention':true");
    hf_refused(&t, ": attention in both directions (use_bidirectional_attention) is not known");
    put_config(&t, 1, ",'quantization_config':{'quant_method':'gptq'}");
    hf_refused(&t,
               ": weights quantised by 'gptq' are not known (known: fp8, mxfp4); convert the model "
               "that they were made from");
    put_config(&t, 1, ",'num_attention_heads':3");
    hf_refused(&t,
               ": tensor 'model.layers.0.self_attn.q_proj.weight' has a number of rows that does "
               "not go with the heads of config.json");
    put_config(&t, 1, ",'num_attention_heads':-1");
    hf_refused(&t, ": config.json has a \"num_attention_heads\" that is no whole number of use");
    put_config(&t, 2, "");
    hf_refused(&t,
               ": has no tensor 'model.layers.1.self_attn.q_proj.weight', which other layers have");
}

TEST(a_tensor_that_is_not_known_is_no_conversion)
{
    hf_test t = begin_llama("left-over", 1, "");
    hf_add(&t, "model.layers.0.mlp.new_proj.weight", EMBD, EMBD, 0.0f);
    hf_weights(&t, "model.safetensors");
    hf_refused(&t,
               ": tensor 'model.layers.0.mlp.new_proj.weight' is not known of its architecture, "
               "which would not be whole without");
}

/* ---- other layouts --------------------------------------------------------------------------- */

/* One tensor of a family beside its embedding. */
static hf_test begin_one(const char *name, const char *config, const char *embd)
{
    hf_test t = hf_begin(name);
    hf_json(&t, "config.json", config);
    hf_add(&t, embd, VOCAB, EMBD, 0.0f);
    return t;
}

#define SIZES                                                                                      \
    "'hidden_size':8,'n_embd':8,'num_hidden_layers':1,'num_attention_heads':2,"                    \
    "'max_position_embeddings':64,'intermediate_size':6"

static void check_rows(hf_test *t, const char *name, const int *from, int n, int n_cols)
{
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_weights(t, "model.safetensors");
    REQUIRE(hf_make(t, QT_F32, &g, &notes, &err), "%s", err.text);
    const gguf_tensor *out = gguf_find_tensor(&g, name);
    REQUIRE(out, "no %s", name);
    CHECK(out->ne[0] == n_cols && out->n_bytes == 4u * (size_t)n * (size_t)n_cols);
    for (int r = 0; r < n; r++)
        CHECK(hf_at(&g, name, n_cols * r + 1) == (float)(n_cols * from[r] + 1), "%s row %d", name,
              r);
    gguf_close(&g);
    buf_free(&notes);
}

TEST(q_k_and_v_of_each_head_are_put_apart)
{
    static const int from[24] = { 0,  1,  2,  3,  12, 13, 14, 15, 4,  5,  6,  7,
                                  16, 17, 18, 19, 8,  9,  10, 11, 20, 21, 22, 23 };
    hf_test t = begin_one("neox", "{'architectures':['GPTNeoXForCausalLM']," SIZES "}",
                          "gpt_neox.embed_in.weight");
    hf_add(&t, "gpt_neox.layers.0.attention.query_key_value.weight", 24, EMBD, 0.0f);
    check_rows(&t, "blk.0.attn_qkv.weight", from, 24, EMBD);
}

TEST(grouped_q_k_and_v_are_put_apart)
{
    /* 4 heads of 2, 2 of keys: groups of (q, q, k, v) */
    static const int from[16] = { 0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15 };
    hf_test t =
        begin_one("falcon",
                  "{'architectures':['FalconForCausalLM'],'hidden_size':8,'num_hidden_layers':1,"
                  "'num_attention_heads':4,'num_kv_heads':2,'new_decoder_architecture':true}",
                  "transformer.word_embeddings.weight");
    hf_add(&t, "transformer.h.0.self_attention.query_key_value.weight", 16, EMBD, 0.0f);
    check_rows(&t, "blk.0.attn_qkv.weight", from, 16, EMBD);
}

TEST(a_pack_is_cut_in_three)
{
    static const int from[8] = { 8, 10, 9, 11, 12, 14, 13, 15 };
    hf_test t = begin_one("baichuan", "{'architectures':['BaichuanForCausalLM']," SIZES "}",
                          "model.embed_tokens.weight");
    hf_add(&t, "model.layers.0.self_attn.W_pack.weight", 24, EMBD, 0.0f);
    check_rows(&t, "blk.0.attn_k.weight", from, 8, EMBD);
}

TEST(experts_are_stacked_by_number)
{
    char name[100];
    int from[36];
    hf_test t = begin_one("moe",
                          "{'architectures':['MixtralForCausalLM']," SIZES
                          ",'vocab_size':5,'num_local_experts':12,'num_experts_per_tok':2}",
                          "model.embed_tokens.weight");
    for (int e = 0; e < 12; e++) { /* names sort 0, 1, 10, 11, 2, .. */
        snprintf(name, sizeof name, "model.layers.0.block_sparse_moe.experts.%d.w1.weight", e);
        hf_add(&t, name, 3, EMBD, (float)(3 * EMBD * e));
    }
    for (int r = 0; r < 36; r++) from[r] = r;
    check_rows(&t, "blk.0.ffn_gate_exps.weight", from, 36, EMBD);
    hf_add(&t, "model.embed_tokens.weight", VOCAB, EMBD, 0.0f);
    hf_add(&t, "model.layers.0.block_sparse_moe.experts.0.w1.weight", 3, EMBD, 0.0f);
    hf_add(&t, "model.layers.0.block_sparse_moe.experts.2.w1.weight", 3, EMBD, 0.0f);
    hf_weights(&t, "model.safetensors");
    remove(strcat(strcpy(name, t.path), ".gguf"));
    hf_refused(&t,
               ": tensor 'model.layers.0.block_sparse_moe.experts.0.w1.weight' and its like are 1 "
               "experts (config.json says 12)");
}

TEST(conv1d_is_transposed_and_gemma_adds_one)
{
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test t = begin_one("gpt2", "{'architectures':['GPT2LMHeadModel']," SIZES "}", "wte.weight");
    hf_add(&t, "h.0.attn.c_attn.weight", EMBD, 24, 0.0f);
    hf_add(&t, "h.0.attn.c_attn.bias", 0, 24, 0.0f);
    hf_weights(&t, "model.safetensors");
    REQUIRE(hf_make(&t, QT_F32, &g, &notes, &err), "%s", err.text);
    for (int r = 0; r < 24; r++)
        CHECK(hf_at(&g, "blk.0.attn_qkv.weight", EMBD * r + 5) == (float)(24 * 5 + r));
    CHECK(hf_at(&g, "output.weight", 9) == 9.0f); /* the embedding again */
    gguf_close(&g);
    t = begin_one("gemma", "{'architectures':['GemmaForCausalLM']," SIZES "}",
                  "model.embed_tokens.weight");
    hf_add(&t, "model.norm.weight", 0, EMBD, 0.25f);
    hf_weights(&t, "model.safetensors");
    REQUIRE(hf_make(&t, QT_F32, &g, &notes, &err), "%s", err.text);
    CHECK(hf_at(&g, "output_norm.weight", 2) == 3.25f);
    gguf_close(&g);
    buf_free(&notes);
}

/* ---- rotation -------------------------------------------------------------------------------- */

/* Makes the file of an embedding alone with that config. */
static bool make_keys(const char *name, const char *config, gguf *g, lory_err *err)
{
    hf_test t = begin_one(name, config, "model.embed_tokens.weight");
    buf notes = { 0 };
    hf_weights(&t, "model.safetensors");
    bool ok = hf_make(&t, RETYPE_KEEP, g, &notes, err);
    buf_free(&notes);
    return ok;
}

#define GEMMA3 "{'architectures':['Gemma3ForCausalLM'],'sliding_window':16," SIZES

/* As transformers wrote them up to version 4, and since 5. */
TEST(gemma_3_says_how_each_kind_of_layers_rotates)
{
    static const char *const configs[] = {
        GEMMA3
        ",'rope_theta':500000,'rope_local_base_freq':20000,'rope_scaling':{'rope_type':'linear',"
        "'factor':8}}",
        GEMMA3 ",'rope_parameters':{'full_attention':{'rope_type':'linear','factor':8,"
               "'rope_theta':500000},'sliding_attention':{'rope_theta':20000}}}",
    };
    gguf g;
    lory_err err = { 0 };
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        REQUIRE(make_keys("gemma3-rope", configs[i], &g, &err), "%s", err.text);
        hf_check_float(&g, "gemma3.rope.freq_base", 500000.0);
        hf_check_float(&g, "gemma3.rope.freq_base_swa", 20000.0);
        hf_check_str(&g, "gemma3.rope.scaling.type", "linear");
        hf_check_float(&g, "gemma3.rope.scaling.factor", 8.0);
        gguf_close(&g);
    }
    CHECK(!make_keys("gemma3-scaled-window",
                     GEMMA3
                     ",'rope_parameters':{'sliding_attention':{'rope_type':'linear','factor':8}}}",
                     &g, &err));
}

/* Those of one layer, where the first would have a window, or none would. */
TEST(layer_types_against_the_pattern_are_refused)
{
#define WINDOW ",'use_sliding_window':true,'sliding_window':16,'layer_types':"
    static const char *const rows[][2] = {
        { "Gemma2ForCausalLM", WINDOW "['full_attention']" },
        { "Gemma3ForCausalLM", WINDOW "['full_attention']" },
        { "GptOssForCausalLM", WINDOW "['full_attention']" },
        { "Qwen2ForCausalLM", ",'max_window_layers':1" WINDOW "['sliding_attention']" },
    };
#undef WINDOW
    char config[600];
    gguf g;
    lory_err err = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(config, sizeof config, "{'architectures':['%s']," SIZES "%s}", rows[i][0],
                 rows[i][1]);
        CHECK(!make_keys("types", config, &g, &err) && strstr(err.text, "window"), "%s: %s",
              rows[i][0], err.text);
        gguf_close(&g);
    }
}

/* As the configuration class of each has it, or as it is said since transformers 5. */
TEST(the_share_of_a_head_that_rotates_is_that_of_its_family)
{
    static const struct {
        const char *config, *key;
        int want; /* of 4 */
    } rows[] = {
        { "PhiForCausalLM']," SIZES "}", "phi2.rope.dimension_count", 2 },
        { "PhiForCausalLM']," SIZES ",'partial_rotary_factor':0.25}", "phi2.rope.dimension_count",
          1 },
        { "StableLmForCausalLM']," SIZES "}", "stablelm.rope.dimension_count", 1 },
        { "MiniMaxM2ForCausalLM']," SIZES
          ",'rope_parameters':{'rope_type':'default','partial_rotary_factor':0.5,"
          "'rope_theta':5000000}}",
          "minimax-m2.rope.dimension_count", 2 },
    };
    char config[600];
    gguf g;
    lory_err err = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(config, sizeof config, "{'architectures':['%s", rows[i].config);
        REQUIRE(make_keys("share", config, &g, &err), "%s", err.text);
        hf_check_int(&g, rows[i].key, (uint64_t)rows[i].want);
        gguf_close(&g);
    }
}

/* The magnitude of what rotates: by the log of the factor, times one mscale over the other. */
TEST(the_mscales_of_yarn_are_a_ratio)
{
    static const struct {
        const char *config;
        double scale, all;
    } rows[] = { { ",'mscale':1,'mscale_all_dim':1", 1.0, 1.0 },
                 { ",'mscale':0.5,'mscale_all_dim':1", 0.5, 1.0 },
                 { ",'mscale':0.5", 1.0, 0.0 } };
    char config[600];
    gguf g;
    lory_err err = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double usual = 1.0 + 0.1 * log(4.0);
        double want = (1.0 + 0.1 * rows[i].scale * log(4.0)) / (1.0 + 0.1 * rows[i].all * log(4.0));
        snprintf(config, sizeof config,
                 "{'architectures':['LlamaForCausalLM']," SIZES
                 ",'vocab_size':5,'rope_scaling':{'type':'yarn','factor':4%s}}",
                 rows[i].config);
        REQUIRE(make_keys("mscale", config, &g, &err), "%s", err.text);
        if (rows[i].all > 0.0)
            hf_check_float(&g, "llama.rope.scaling.attn_factor", want / usual);
        else
            CHECK(!gguf_find(&g, "llama.rope.scaling.attn_factor"));
        gguf_close(&g);
    }
}

/* ---- small types ----------------------------------------------------------------------------- */

TEST(f8_weights_are_multiplied_by_their_block_scales)
{
    enum { ROWS = 192, COLS = 8 }; /* two blocks of 128 rows, the second cut short */
    unsigned char codes[ROWS * COLS];
    float scales[2] = { 2.0f, 0.5f };
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    hf_test t = begin_one("fp8",
                          "{'architectures':['Qwen2ForCausalLM']," SIZES
                          ",'quantization_config':{'quant_method':'fp8'}}",
                          "model.embed_tokens.weight");
    for (int i = 0; i < ROWS * COLS; i++) codes[i] = (unsigned char)(0x38 + i % 8); /* 1 + i/8 */
    hf_tensor_bytes(&t, "model.layers.0.mlp.up_proj.weight", "F8_E4M3", "[192,8]", codes,
                    sizeof codes);
    hf_tensor_bytes(&t, "model.layers.0.mlp.up_proj.weight_scale_inv", "F32", "[2,1]", scales, 8);
    hf_weights(&t, "model.safetensors");
    REQUIRE(hf_make(&t, QT_F32, &g, &notes, &err), "%s", err.text);
    for (int i = 0; i < ROWS * COLS; i++)
        CHECK(hf_at(&g, "blk.0.ffn_up.weight", i)
              == (1.0f + (float)(i % 8) / 8.0f) * scales[i / COLS / 128]);
    CHECK(!strstr(notes.data, "not used"), "%s", notes.data);
    gguf_close(&g);
    buf_free(&notes);
}

/* The MXFP4 form of gpt-oss, decoded here by its definition. */
TEST(mxfp4_blocks_change_their_order_of_nibbles_only)
{
    enum { EXPERTS = 2, ROWS = 4, BLOCKS = 2, N = EXPERTS * ROWS * BLOCKS };
    static const float values[16] = { 0,    .5f,  1,  1.5f,  2,  3,  4,  6,
                                      -0.f, -.5f, -1, -1.5f, -2, -3, -4, -6 };
    unsigned char codes[N * 16], scales[N];
    float row[BLOCKS * 32];
    gguf g;
    buf notes = { 0 };
    lory_err err = { 0 };
    for (int i = 0; i < N * 16; i++) codes[i] = (unsigned char)(i * 73 + 5);
    for (int i = 0; i < N; i++) scales[i] = (unsigned char)(120 + i);
    hf_test t = begin_one("mxfp4",
                          "{'architectures':['GptOssForCausalLM']," SIZES
                          ",'num_local_experts':2,'sliding_window':8}",
                          "model.embed_tokens.weight");
    hf_tensor_bytes(&t, "model.layers.0.mlp.experts.gate_up_proj_blocks", "U8", "[2,4,2,16]", codes,
                    sizeof codes);
    hf_tensor_bytes(&t, "model.layers.0.mlp.experts.gate_up_proj_scales", "U8", "[2,4,2]", scales,
                    sizeof scales);
    hf_weights(&t, "model.safetensors");
    REQUIRE(hf_make(&t, QT_F32, &g, &notes, &err), "%s", err.text);
    for (int half = 0; half < 2; half++) { /* gate has the even rows, up the odd ones */
        const gguf_tensor *x =
            gguf_find_tensor(&g, half ? "blk.0.ffn_up_exps.weight" : "blk.0.ffn_gate_exps.weight");
        REQUIRE(x && x->type == QT_MXFP4 && x->ne[0] == 64 && x->ne[1] == 2 && x->ne[2] == 2);
        for (int r = 0; r < 4; r++) {
            qtypes[QT_MXFP4].to_f32(64, (const char *)x->data + (size_t)r * 34, row);
            for (int i = 0; i < 64; i++) {
                int block = ((r / 2 * ROWS) + 2 * (r % 2) + half) * BLOCKS + i / 32;
                int code = codes[block * 16 + i % 32 / 2] >> 4 * (i % 2) & 15;
                CHECK(row[i] == ldexpf(values[code], scales[block] - 127), "half %d row %d, %d",
                      half, r, i);
            }
        }
    }
    gguf_close(&g);
    buf_free(&notes);
}
