/* families.c - see family.h: the table of families, and which row a config.json is of. */
#include "base/err.h"
#include "convert/families.h"
#include "convert/family_rows.h"
#include <string.h>

/* clang-format off */
static const hf_family families[] = {
    /* architectures, and below: GGUF, tensors, sizes, numbers */
    { "LlamaForCausalLM LLaMAForCausalLM MistralForCausalLM MixtralForCausalLM "
      "IQuestCoderForCausalLM",
      "llama",          rows_llama, rows_common,         NULL, keys_llama },
    { "NanbeigeForCausalLM",
      "nanbeige",       rows_llama, rows_common,         NULL, keys_nanbeige },
    { "InternLM3ForCausalLM",
      "llama",          rows_llama, rows_common,         NULL, keys_internlm3 },
    { "Qwen2ForCausalLM MiMoForCausalLM KORMoForCausalLM DotsOCRForCausalLM",
      "qwen2",          rows_kormo, rows_common,         NULL, keys_qwen2 },
    { "Qwen3ForCausalLM",
      "qwen3",          rows_none, rows_common,          NULL, keys_qwen2 },
    { "Qwen2VLForConditionalGeneration Qwen2_5_VLForConditionalGeneration",
      "qwen2vl",        rows_none, rows_common,          NULL, keys_qwen_vl },
    { "Qwen3VLForConditionalGeneration",
      "qwen3vl",        rows_none, rows_common,          NULL, keys_qwen_vl },
    { "Qwen2MoeForCausalLM",
      "qwen2moe",       rows_moe, rows_common,           NULL, keys_qwen_moe },
    { "Qwen3MoeForCausalLM",
      "qwen3moe",       rows_moe, rows_common,           NULL, keys_qwen_moe },
    { "GroveMoeForCausalLM",
      "grovemoe",       rows_grovemoe, rows_common,      NULL, keys_grovemoe },
    { "DeepseekV32ForCausalLM",
      "deepseek32",     rows_glm_dsa, rows_common,       NULL, keys_deepseek32 },
    { "Glm4MoeLiteForCausalLM",
      "deepseek2",      rows_glm_dsa, rows_common,       NULL, keys_glm4_lite },
    { "ExaoneMoEForCausalLM ExaoneMoeForCausalLM",
      "exaone-moe",     rows_exaone_moe, rows_common,    NULL, keys_exaone_moe },
    { "AfmoeForCausalLM",
      "afmoe",          rows_afmoe, rows_common,         NULL, keys_afmoe },
    { "Grok1ForCausalLM Grok2ForCausalLM",
      "grok",           rows_grok2, rows_common,         NULL, keys_grok },
    { "MuseGlimmerForConditionalGeneration MuseGlimmerForCausalLM",
      "muse-glimmer",   rows_muse_glimmer, rows_common,  NULL, keys_muse_glimmer },
    { "HYV3ForCausalLM",
      "hy_v3",          rows_hy_v3, rows_common,         NULL, keys_hy_v3 },
    { "Jais2ForCausalLM",
      "jais2",          rows_none, rows_common,          NULL, keys_arcee },
    { "MaincoderForCausalLM",
      "maincoder",      rows_none, rows_common,          NULL, keys_maincoder },
    { "GraniteMoeHybridForCausalLM",
      "granite",        rows_granite4, rows_common,      NULL, keys_granite4 },
    { "GraniteMoeHybridForCausalLM",
      "granitehybrid",  rows_granite4_hybrid, rows_common, shape_granite4, keys_granite4_hybrid },
    { "GraniteMoeHybridForCausalLM",
      "granitehybrid",  rows_granite4_moe, rows_common,  shape_granite4, keys_granite4_hybrid },
    { "BambaForCausalLM",
      "granitehybrid",  rows_bamba, rows_common,         shape_bamba, keys_bamba },
    { "FalconH1ForCausalLM",
      "falcon-h1",      rows_falcon_h1, rows_common,     shape_falcon_h1, keys_falcon_h1 },
    { "MambaForCausalLM FalconMambaForCausalLM",
      "mamba",          rows_mamba, rows_none,           NULL, keys_mamba },
    { "JambaForCausalLM",
      "jamba",          rows_jamba, rows_common,         shape_jamba, keys_jamba },
    { "Mamba2ForCausalLM",
      "mamba2",         rows_mamba2, rows_none,          shape_mamba2, keys_mamba2 },
    { "NemotronHForCausalLM",
      "nemotron_h",     rows_nemotron_h, rows_none,      shape_nemotron_h, keys_nemotron_h },
    { "NemotronHForCausalLM",
      "nemotron_h_moe", rows_nemotron_h, rows_none,      shape_nemotron_h, keys_nemotron_h },
    { "SolarOpenForCausalLM",
      "glm4moe",        rows_glm4moe, rows_common,       NULL, keys_solar },
    { "DeepseekV2ForCausalLM DeepseekV3ForCausalLM KimiK2ForCausalLM",
      "deepseek2",      rows_moe, rows_common,           NULL, keys_deepseek2 },
    { "GemmaForCausalLM",
      "gemma",          rows_gemma, rows_common,         NULL, keys_gemma },
    { "Gemma2ForCausalLM",
      "gemma2",         rows_gemma2, rows_common,        NULL, keys_gemma },
    { "Gemma3ForCausalLM Gemma3TextModel",
      "gemma3",         rows_gemma2, rows_common,        NULL, keys_gemma },
    { "Gemma4ForCausalLM Gemma4ForConditionalGeneration Gemma4TextModel",
      "gemma4",         rows_gemma4, rows_common,        NULL, keys_gemma4 },
    { "Gemma3nForCausalLM Gemma3nForConditionalGeneration Gemma3nTextModel",
      "gemma3n",        rows_gemma3n, rows_common,       NULL, keys_gemma3n },
    { "Qwen3NextForCausalLM",
      "qwen3next",      rows_qwen3next, rows_moe,        shape_qwen35, keys_qwen3next },
    { "Qwen3_5ForConditionalGeneration Qwen3_5ForCausalLM",
      "qwen35",         rows_qwen35, rows_common,        shape_qwen35, keys_qwen35 },
    { "Qwen3_5MoeForConditionalGeneration Qwen3_5MoeForCausalLM",
      "qwen35moe",      rows_qwen35, rows_moe,           shape_qwen35, keys_qwen35 },
    { "KimiLinearForCausalLM",
      "kimi-linear",    rows_kimi_linear, rows_common,   shape_kimi_linear, keys_kimi_linear },
    { "Rwkv6ForCausalLM",
      "rwkv6",          rows_rwkv6, rows_none,           NULL, keys_rwkv6 },
    { "RWKV7ForCausalLM",
      "rwkv7",          rows_rwkv7, rows_none,           shape_rwkv7, keys_rwkv7 },
    { "BailingMoeV3ForCausalLM",
      "bailingmoe3",    rows_bailing3, rows_bailing2,    shape_kimi_linear, keys_bailing3 },
    { "Lfm2ForCausalLM",
      "lfm2",           rows_lfm2, rows_none,            shape_lfm2, keys_lfm2 },
    { "Lfm2MoeForCausalLM",
      "lfm2moe",        rows_lfm2, rows_none,            shape_lfm2, keys_lfm2moe },
    { "Mistral4ForCausalLM",
      "mistral4",       rows_moe, rows_common,           NULL, keys_mistral4 },
    { "Cohere2MoeForCausalLM",
      "cohere2_moe",    rows_windows, rows_moe,          NULL, keys_cohere2_moe },
    { "MellumForCausalLM",
      "mellum",         rows_windows, rows_moe,          NULL, keys_mellum },
    { "LagunaForCausalLM",
      "laguna",         rows_windows, rows_moe,          NULL, keys_laguna },
    { "MiMoV2FlashForCausalLM",
      "mimo2",          rows_windows, rows_moe,          NULL, keys_mimo2 },
    { "Step3p5ForCausalLM",
      "step35",         rows_step35, rows_common,        shape_step35, keys_step35 },
    { "ArceeForCausalLM",
      "arcee",          rows_llama, rows_common,         NULL, keys_arcee },
    { "Cohere2ForCausalLM",
      "cohere2",        rows_none, rows_common,          NULL, keys_cohere2 },
    { "DeepseekForCausalLM",
      "deepseek",       rows_deepseek, rows_common,      NULL, keys_deepseek },
    { "Dots1ForCausalLM",
      "dots1",          rows_moe, rows_common,           NULL, keys_dots1 },
    { "Ernie4_5ForCausalLM Ernie4_5_ForCausalLM",
      "ernie4_5",       rows_none, rows_common,          NULL, keys_base },
    { "ExaoneForCausalLM",
      "exaone",         rows_exaone, rows_none,          NULL, keys_exaone },
    { "Exaone4ForCausalLM",
      "exaone4",        rows_olmo2, rows_common,         NULL, keys_exaone4 },
    { "Glm4MoeForCausalLM",
      "glm4moe",        rows_glm4moe, rows_common,       NULL, keys_glm4moe },
    { "HunYuanDenseV1ForCausalLM",
      "hunyuan-dense",  rows_hunyuan, rows_common,       NULL, keys_hunyuan },
    { "InternLM2ForCausalLM",
      "internlm2",      rows_internlm2, rows_none,       NULL, keys_internlm2 },
    { "MiniCPMForCausalLM",
      "minicpm",        rows_llama, rows_common,         NULL, keys_minicpm },
    { "NemotronForCausalLM",
      "nemotron",       rows_gemma, rows_common,         NULL, keys_nemotron },
    { "OlmoeForCausalLM",
      "olmoe",          rows_moe, rows_common,           NULL, keys_olmoe },
    { "QWenLMHeadModel",
      "qwen",           rows_qwen, rows_none,            NULL, keys_qwen },
    { "SeedOssForCausalLM",
      "seed_oss",       rows_glm4moe, rows_common,       NULL, keys_base },
    { "SmolLM3ForCausalLM",
      "smollm3",        rows_llama, rows_common,         NULL, keys_smollm3 },
    { "XverseForCausalLM",
      "xverse",         rows_llama, rows_common,         NULL, keys_base },
    { "CodeShellForCausalLM",
      "codeshell",      rows_gpt_bigcode, rows_none,     shape_codeshell, keys_codeshell },
    { "OpenELMForCausalLM",
      "openelm",        rows_openelm, rows_none,         shape_openelm, keys_openelm },
    { "DeciLMForCausalLM",
      "deci",           rows_deci, rows_common,          shape_deci, keys_deci },
    { "PlamoForCausalLM",
      "plamo",          rows_plamo, rows_common,         shape_plamo, keys_plamo },
    { "Plamo2ForCausalLM PLaMo2ForCausalLM",
      "plamo2",         rows_plamo2, rows_plamo3,        shape_plamo2, keys_plamo2 },
    { "Plamo3ForCausalLM PLaMo3ForCausalLM",
      "plamo3",         rows_plamo3, rows_common,        NULL, keys_plamo3 },
    { "ChameleonForCausalLM ChameleonForConditionalGeneration",
      "chameleon",      rows_chameleon, rows_common,     NULL, keys_chameleon },
    { "DbrxForCausalLM",
      "dbrx",           rows_dbrx, rows_none,            shape_dbrx, keys_dbrx },
    { "GrokForCausalLM",
      "grok",           rows_grok, rows_none,            NULL, keys_grok },
    { "GlmMoeDsaForCausalLM",
      "glm-dsa",        rows_glm_dsa, rows_common,       NULL, keys_glm_dsa },
    { "MiniMaxM3SparseForConditionalGeneration MiniMaxM3SparseForCausalLM",
      "minimax-m3",     rows_minimax3, rows_common,      NULL, keys_minimax3 },
    { "ArcticForCausalLM",
      "arctic",         rows_arctic, rows_common,        NULL, keys_arctic },
    { "Llama4ForCausalLM Llama4ForConditionalGeneration",
      "llama4",         rows_llama4, rows_common,        NULL, keys_llama4 },
    { "Ministral3ForCausalLM",
      "mistral3",       rows_llama, rows_common,         NULL, keys_ministral3 },
    { "Qwen3VLMoeForConditionalGeneration",
      "qwen3vlmoe",     rows_qwen3vlmoe, rows_common,    NULL, keys_qwen_vl_moe },
    { "YoutuForCausalLM",
      "deepseek2",      rows_moe, rows_common,           NULL, keys_youtu },
    { "SarvamMoEForCausalLM",
      "bailingmoe2",    rows_bailing2, rows_common,      NULL, keys_sarvam },
    { "Ernie4_5_MoeForCausalLM",
      "ernie4_5-moe",   rows_ernie_moe, rows_common,     NULL, keys_ernie_moe },
    { "BailingMoeForCausalLM",
      "bailingmoe",     rows_bailing, rows_common,       NULL, keys_bailing },
    { "BailingMoeForCausalLM",
      "bailingmoe",     rows_bailing_normed, rows_common, NULL, keys_bailing },
    { "BailingMoeV2ForCausalLM",
      "bailingmoe2",    rows_bailing2, rows_common,      NULL, keys_bailing2 },
    { "HunYuanMoEV1ForCausalLM",
      "hunyuan-moe",    rows_hunyuan_moe, rows_common,   NULL, keys_hunyuan_moe },
    { "MiniMaxM2ForCausalLM",
      "minimax-m2",     rows_sparse_moe, rows_common,    NULL, keys_minimax },
    { "PhiMoEForCausalLM PhimoeForCausalLM",
      "phimoe",         rows_sparse_moe, rows_common,    NULL, keys_phimoe },
    { "SmallThinkerForCausalLM",
      "smallthinker",   rows_smallthinker, rows_common,  NULL, keys_smallthinker },
    { "MiniCPM3ForCausalLM",
      "minicpm3",       rows_moe, rows_common,           NULL, keys_minicpm3 },
    { "PLMForCausalLM",
      "plm",            rows_moe, rows_common,           NULL, keys_plm },
    { "PanguEmbeddedForCausalLM",
      "pangu-embedded", rows_none, rows_common,          NULL, keys_pangu },
    { "ApertusForCausalLM",
      "apertus",        rows_apertus, rows_common,       NULL, keys_apertus },
    { "OrionForCausalLM",
      "orion",          rows_none, rows_common,          NULL, keys_orion },
    { "GPTRefactForCausalLM",
      "refact",         rows_refact, rows_none,          NULL, keys_refact },
    { "JAISLMHeadModel",
      "jais",           rows_jais, rows_none,            shape_jais, keys_jais },
    { "BitnetForCausalLM",
      "bitnet",         rows_bitnet, rows_common,        NULL, keys_bitnet },
    { "BitNetForCausalLM",
      "bitnet-b1.58",   rows_bitnet, rows_common,        NULL, keys_bitnet },
    { "PhiForCausalLM",
      "phi2",           rows_phi2, rows_common,          NULL, keys_phi2 },
    { "Phi3ForCausalLM Phi3VForCausalLM Phi4ForCausalLMV",
      "phi3",           rows_none, rows_common,          NULL, keys_phi3 },
    { "CohereForCausalLM",
      "command-r",      rows_none, rows_common,          NULL, keys_cohere },
    { "GraniteForCausalLM",
      "granite",        rows_llama, rows_common,         NULL, keys_granite },
    { "GraniteMoeForCausalLM GraniteMoeSharedForCausalLM",
      "granitemoe",     rows_llama, rows_common,         NULL, keys_granite },
    { "GraniteSWAForCausalLM GraniteMoeSWAForCausalLM",
      "granite_swa",    rows_granite_swa, rows_common,   NULL, keys_granite_swa },
    { "OlmoForCausalLM",
      "olmo",           rows_olmo, rows_common,          NULL, keys_olmo },
    { "Olmo2ForCausalLM",
      "olmo2",          rows_olmo2, rows_common,         NULL, keys_base },
    { "Olmo3ForCausalLM",
      "olmo2",          rows_olmo2, rows_common,         NULL, keys_olmo3 },
    { "StableLmForCausalLM StableLMEpochForCausalLM",
      "stablelm",       rows_stablelm, rows_common,      NULL, keys_stablelm },
    { "Starcoder2ForCausalLM",
      "starcoder2",     rows_starcoder2, rows_common,    NULL, keys_starcoder2 },
    { "BaichuanForCausalLM BaiChuanForCausalLM",
      "baichuan",       rows_baichuan, rows_common,      NULL, keys_baichuan },
    { "BaichuanForCausalLM",
      "baichuan",       rows_baichuan2, rows_common,     NULL, keys_baichuan },
    { "GlmForCausalLM",
      "chatglm",        rows_none, rows_common,          NULL, keys_chatglm },
    { "Glm4ForCausalLM",
      "glm4",           rows_glm4, rows_common,          NULL, keys_glm4 },
    { "GptOssForCausalLM",
      "gpt-oss",        rows_gpt_oss, rows_common,       NULL, keys_gpt_oss },
    { "GPT2LMHeadModel GPT2Model",
      "gpt2",           rows_gpt2, rows_none,            NULL, keys_gpt2 },
    { "OpenAIGPTLMHeadModel OpenAIGPTModel",
      "openai-gpt",     rows_openai_gpt, rows_none,      NULL, keys_openai_gpt },
    { "GPTBigCodeForCausalLM",
      "starcoder",      rows_gpt_bigcode, rows_none,     shape_bigcode, keys_bigcode },
    { "GPTJForCausalLM",
      "gptj",           rows_gptj, rows_none,            NULL, keys_gptj },
    { "CodeGenForCausalLM",
      "gptj",           rows_codegen, rows_gptj,         NULL, keys_gptj },
    { "OPTForCausalLM",
      "opt",            rows_opt, rows_none,             NULL, keys_opt },
    { "GPTNeoForCausalLM",
      "gptneo",         rows_gpt_neo, rows_none,         NULL, keys_gpt_neo },
    { "GPTNeoXForCausalLM",
      "gptneox",        rows_gptneox, rows_none,         NULL, keys_gptneox },
    { "BloomForCausalLM BloomModel",
      "bloom",          rows_bloom, rows_none,           NULL, keys_bloom },
    { "FalconForCausalLM RWForCausalLM",
      "falcon",         rows_falcon, rows_none,          shape_falcon, keys_falcon },
    { "MPTForCausalLM MptForCausalLM",
      "mpt",            rows_mpt, rows_none,             shape_mpt, keys_mpt },
    { "ChatGLMModel ChatGLMForConditionalGeneration",
      "chatglm",        rows_chatglm, rows_none,         NULL, keys_chatglm },
    { "ChatGLMModel ChatGLMForConditionalGeneration",
      "chatglm1",       rows_chatglm1, rows_none,        NULL, keys_chatglm1 },
};
/* clang-format on */
enum { N_FAMILIES = sizeof families / sizeof families[0] };

static bool has_text(const json *list, const char *text)
{
    for (const json *j = list ? list->first : NULL; j; j = j->next)
        if (json_str_is(j, text)) return true;
    return false;
}

static bool has_experts(const json *root)
{
    int64_t n = 0;
    return json_get_int(json_get(root, "num_local_experts"), &n) && n > 0;
}

/* Nemotron-H names its layers by letters or words. */
static bool has_expert_layers(const json *root)
{
    const char *pattern;
    size_t n;
    if (json_get_str(json_get(root, "hybrid_override_pattern"), &pattern, &n))
        return memchr(pattern, 'E', n) != NULL;
    return has_text(json_get(root, "layers_block_type"), "moe");
}

/* ChatGLM-6B has the class names of its successors; its positions are 2-D. Baichuan 2 has those of
 * the first one, and another vocabulary. */
static bool fits(const hf_family *f, const json *root, const char *class_name)
{
    const json *n_vocab = json_get(root, "vocab_size");
    bool is_second = n_vocab && n_vocab->type == JSON_NUMBER && n_vocab->i == 125696;
    if (!config_has_word(f->classes, class_name)) return false;
    if (f->put_keys == keys_baichuan) return (f->rows == rows_baichuan2) == is_second;
    if (f->put_keys == keys_bailing) {
        bool is_normed = false;
        json_get_bool(json_get(root, "norm_head"), &is_normed);
        return (f->rows == rows_bailing_normed) == is_normed;
    }
    bool recurs = has_text(json_get(root, "layer_types"), "mamba")
                  || has_text(json_get(root, "layers_block_type"), "mamba");
    if (f->put_keys == keys_granite4) return !recurs;
    if (f->put_keys == keys_granite4_hybrid)
        return recurs && (f->rows == rows_granite4_moe) == has_experts(root);
    if (f->put_keys == keys_nemotron_h)
        return (strcmp(f->arch, "nemotron_h_moe") == 0) == has_expert_layers(root);
    bool is_first = json_get(root, "position_encoding_2d") || json_get(root, "inner_hidden_size");
    if (f->rows == rows_chatglm) return !is_first;
    return f->rows != rows_chatglm1 || is_first;
}

const hf_family *family_of_arch(gguf_str arch, const hf_family *last)
{
    const hf_family *f = last ? last + 1 : families;
    while (f < families + N_FAMILIES && !gguf_str_is(arch, f->arch)) f++;
    return f < families + N_FAMILIES ? f : NULL;
}

static const char *class_of(const json *root)
{
    const json *classes = json_get(root, "architectures");
    const json *c = classes && classes->type == JSON_ARRAY ? classes->first : NULL;
    return c && c->type == JSON_STRING ? c->str : "";
}

/* The class of the text model within another one: named, or by its type. */
static const char *text_class_of(const json *text)
{
    static const char *const types[][2] = {
        { "gemma3_text", "Gemma3ForCausalLM" }, { "gemma4_text", "Gemma4ForCausalLM" },
        { "gemma3n_text", "Gemma3nForCausalLM" }, { "llama", "LlamaForCausalLM" },
        { "deepseek_v3", "DeepseekV3ForCausalLM" }, { "kimi_k2", "DeepseekV3ForCausalLM" },
        { "exaone4", "Exaone4ForCausalLM" },    { "glm4v_text", "Glm4ForCausalLM" },
        { "glm4v_moe_text", "Glm4MoeForCausalLM" },
        { "mistral", "MistralForCausalLM" },    { "qwen2", "Qwen2ForCausalLM" },
        { "qwen3", "Qwen3ForCausalLM" },        { "qwen3_moe", "Qwen3MoeForCausalLM" },
        { "gemma", "GemmaForCausalLM" },        { "gemma2", "Gemma2ForCausalLM" },
        { "cohere2", "Cohere2ForCausalLM" },    { "smollm3", "SmolLM3ForCausalLM" },
        { "qwen3_5_text", "Qwen3_5ForCausalLM" },
        { "qwen3_5_moe_text", "Qwen3_5MoeForCausalLM" },
        { "lfm2", "Lfm2ForCausalLM" },          { "lfm2_moe", "Lfm2MoeForCausalLM" },
        { "exaone4_5_text", "Exaone4ForCausalLM" }, { "glm_ocr_text", "Glm4ForCausalLM" },
        { "granite", "GraniteForCausalLM" },    { "phi3", "Phi3ForCausalLM" },
        { "deepseek_v2", "DeepseekV2ForCausalLM" }, { "gpt_oss", "GptOssForCausalLM" },
        { "internlm2", "InternLM2ForCausalLM" }, { "step3p5", "Step3p5ForCausalLM" },
        { "gemma4_unified_text", "Gemma4ForCausalLM" }, { "youtu", "YoutuForCausalLM" },
        { "qwen2_5_omni_text", "Qwen2_5_VLForConditionalGeneration" },
        { "qwen3_omni_moe_text", "Qwen3VLMoeForConditionalGeneration" },
        { "ministral3", "Ministral3ForCausalLM" }, { "mistral4", "Mistral4ForCausalLM" },
    };
    if (*class_of(text)) return class_of(text);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (json_str_is(json_get(text, "model_type"), types[i][0])) return types[i][1];
    return "";
}

const hf_family *family_find(const json *root, const char *path, lory_err *err)
{
    const json *type = json_get(root, "model_type"), *text = config_text_part(root);
    const char *name = class_of(root), *within = text ? text_class_of(text) : "";
    for (int i = 0; i < N_FAMILIES; i++)
        if (fits(&families[i], root, name)) return &families[i];
    for (int i = 0; i < N_FAMILIES; i++)
        if (text && fits(&families[i], text, within)) return &families[i];
    err_set(err, LORY_E_UNSUPPORTED,
            "%s: models of %s%.64s%s (model_type '%.64s') are not known to convert", path,
            name[0] ? "architecture '" : "no named architecture", name, name[0] ? "'" : "",
            type && type->type == JSON_STRING ? type->str : "");
    return NULL;
}
