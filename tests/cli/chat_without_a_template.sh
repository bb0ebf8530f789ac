LC_ALL=C sed "s/tokenizer.chat_template/tokenizer.chat_templatX/" "$MODEL" > bare.gguf
echo hello | "$LORY" chat -m bare.gguf || echo "exit $?"
echo hello | "$LORY" chat -m "$MODEL" --template nowhere.jinja || echo "exit $?"
echo '{% if %}' > bad.jinja
echo hello | "$LORY" chat -m "$MODEL" --template bad.jinja || echo "exit $?"
echo '{{ raise_exception("Only questions, please") }}' > raises.jinja
echo hello | "$LORY" chat -m "$MODEL" --template raises.jinja || echo "exit $?"
: > empty.jinja
echo hello | "$LORY" chat -m "$MODEL" --template empty.jinja || echo "exit $?"
