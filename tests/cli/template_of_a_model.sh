test -d "$SHARED/tokenizers" || exit 77
echo '{"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": true}' > case
"$LORY" template -m "$SHARED/tokenizers/qwen2.gguf" < case || echo "exit $?"
echo '{{ bos_token }} {{ eos_token }}' > t.jinja
"$LORY" template -m "$SHARED/tokenizers/llama-2.gguf" --template t.jinja < case
