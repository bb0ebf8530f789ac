/* families.h - what becomes of config.json, family by family (family_keys.c), for the table in
 * families.c.
 * Layer: convert, private to those two. */
#ifndef LORY_CONVERT_FAMILIES_H
#define LORY_CONVERT_FAMILIES_H

#include "convert/family.h"

void shape_bigcode(config *c, hf_shape *s);
void shape_falcon(config *c, hf_shape *s);
void shape_mpt(config *c, hf_shape *s);

void keys_base(config *c, const hf_shape *s); /* what most have since LLaMA */
void keys_llama(config *c, const hf_shape *s);
void keys_qwen2(config *c, const hf_shape *s);
void keys_qwen_vl(config *c, const hf_shape *s);
void keys_qwen_moe(config *c, const hf_shape *s);
void keys_deepseek2(config *c, const hf_shape *s);
void keys_gemma(config *c, const hf_shape *s);
void shape_codeshell(config *c, hf_shape *s);
void keys_arcee(config *c, const hf_shape *s);
void keys_codeshell(config *c, const hf_shape *s);
void keys_cohere2(config *c, const hf_shape *s);
void keys_deepseek(config *c, const hf_shape *s);
void keys_dots1(config *c, const hf_shape *s);
void keys_exaone(config *c, const hf_shape *s);
void keys_exaone4(config *c, const hf_shape *s);
void keys_glm4moe(config *c, const hf_shape *s);
void keys_hunyuan(config *c, const hf_shape *s);
void keys_internlm2(config *c, const hf_shape *s);
void keys_minicpm(config *c, const hf_shape *s);
void keys_nemotron(config *c, const hf_shape *s);
void keys_olmoe(config *c, const hf_shape *s);
void keys_qwen(config *c, const hf_shape *s);
void keys_smollm3(config *c, const hf_shape *s);
void keys_phi2(config *c, const hf_shape *s);
void keys_phi3(config *c, const hf_shape *s);
void keys_cohere(config *c, const hf_shape *s);
void keys_granite(config *c, const hf_shape *s);
void keys_olmo(config *c, const hf_shape *s);
void keys_stablelm(config *c, const hf_shape *s);
void keys_starcoder2(config *c, const hf_shape *s);
void keys_baichuan(config *c, const hf_shape *s);
void keys_chatglm(config *c, const hf_shape *s);
void keys_chatglm1(config *c, const hf_shape *s);
void keys_glm4(config *c, const hf_shape *s);
void keys_gpt_oss(config *c, const hf_shape *s);
void keys_gpt2(config *c, const hf_shape *s);
void keys_openai_gpt(config *c, const hf_shape *s);
void keys_bigcode(config *c, const hf_shape *s);
void keys_gptj(config *c, const hf_shape *s);
void keys_gpt_neo(config *c, const hf_shape *s);
void keys_gptneox(config *c, const hf_shape *s);
void keys_bloom(config *c, const hf_shape *s);
void keys_falcon(config *c, const hf_shape *s);
void keys_mpt(config *c, const hf_shape *s);

#endif
