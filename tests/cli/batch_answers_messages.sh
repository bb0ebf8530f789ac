printf '{{ bos_token }}{%% for m in messages %%}{{ m.content }}{%% endfor %%}{{ tail }}' > t.jinja
cat > in.jsonl <<'END'
{"id": "p", "prompt": "Once upon a time", "max_tokens": 8, "temperature": 0}
{"id": "m", "messages": [{"role": "user", "content": "Once upon a time"}], "max_tokens": 8, "temperature": 0}
{"id": "parts", "messages": [{"role": "user", "content": [{"type": "text", "text": "Once"}]}, {"role": "user", "content": " upon a time"}], "max_tokens": 8, "temperature": 0}
{"id": "kwargs", "messages": [{"role": "user", "content": "Once upon"}], "chat_template_kwargs": {"tail": " a time"}, "max_tokens": 8, "temperature": 0}
{"custom_id": "api", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": [{"role": "user", "content": "Once upon a time"}], "max_completion_tokens": 8, "temperature": 0}}
END
# The same text by any way in: one text and one count of tokens.
"$LORY" batch --template t.jinja -i in.jsonl -o out.jsonl
sed 's/.*"\(text\|content\)":"\([^"]*\)".*"prompt_tokens":\([0-9]*\).*/\2 \3/' out.jsonl | sort -u | wc -l
sed -n 5p out.jsonl | grep -o '"object":"chat.completion"\|"role":"assistant"'

# What a user writes is never a control token, --special or not; an answer ends where the next turn would begin.
echo '{"messages": [{"role": "user", "content": "</s>"}], "max_tokens": 1}' > in.jsonl
"$LORY" batch --template t.jinja -i in.jsonl | grep -o '"prompt_tokens":[0-9]*' > plain
"$LORY" batch --template t.jinja -i in.jsonl --special | grep -o '"prompt_tokens":[0-9]*' | cmp - plain
"$LORY" tokenize -p '</s>' --bos | tr ',' '\n' | wc -l | sed 's/^/"prompt_tokens":/' | cmp - plain

# A developer is system to a template that knows none; null is no text, and no member that it lacks; what requests name beside the messages.
printf '{{ raise_exception(messages | tojson ~ add_generation_prompt ~ reasoning_effort) }}{# for developers #}' > knows_none.jinja
sed "s/$/{# 'developer' #}/" knows_none.jinja > knows.jinja
cat > in.jsonl <<'END'
{"messages": [{"role": "developer", "content": "Be brief"}, {"role": "assistant", "content": null, "tool_calls": null, "refusal": null, "name": "x"}, {"role": "assistant", "tool_calls": []}]}
{"messages": [{"role": "user", "content": "a"}], "reasoning_effort": "low", "add_generation_prompt": false}
{"messages": [{"role": "user", "content": "a"}], "reasoning_effort": null, "chat_template_kwargs": {"reasoning_effort": "high"}}
{"messages": [{"role": "developer", "content": null}]}
END
"$LORY" batch --template knows_none.jinja -i in.jsonl 2> log || "$LORY" batch --template knows.jinja -i in.jsonl 2> log | head -n 1
echo '{"messages": [{"role": "user", "content": "Once upon"}], "continue_final_message": true, "add_generation_prompt": false, "max_tokens": 2, "temperature": 0}' > in.jsonl
"$LORY" batch -m "$BUNDLED" -i in.jsonl

# The clock stands still unless it is set.
printf '{{ strftime_now("%%Y") }}' > year.jinja
echo '{"messages": [{"role": "user", "content": ""}], "max_tokens": 6, "temperature": 0}' > in.jsonl
"$LORY" batch --template year.jinja -i in.jsonl -o then
SOURCE_DATE_EPOCH=0 "$LORY" batch --template year.jinja -i in.jsonl | cmp - then

cat > in.jsonl <<'END'
{"id": 1, "messages": []}
{"id": 2, "messages": [{"content": "x"}]}
{"id": 3, "messages": ["x"]}
{"id": 4, "messages": [{"role": "user", "content": 5}]}
{"id": 5, "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}
{"id": 6, "messages": [{"role": "user", "content": ""}]}
{"id": 7, "messages": [{"role": "user", "content": "a"}], "prompt": "a"}
{"id": 8, "messages": [{"role": "user", "content": "a"}], "chat_template_kwargs": 1}
{"custom_id": "9", "url": "/v1/chat/completions", "body": {"prompt": "a"}}
{"custom_id": "10", "url": "/v1/completions", "body": {"messages": [{"role": "user", "content": "a"}]}}
{"id": 11, "messages": [{"role": "assistant"}, {"role": "user"}]}
END
printf '{{ messages[0].content }}' > bare.jinja
"$LORY" batch --template bare.jinja -i in.jsonl || echo "exit $?"
printf '{{ raise_exception("Only questions, please") }}' > raises.jinja
"$LORY" batch --template raises.jinja -i in.jsonl 2> /dev/null | grep '"id":6'
"$LORY" batch --template nowhere.jinja -i in.jsonl || echo "exit $?"
