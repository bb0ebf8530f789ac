model=$(dirname "$0")/../vectors/parrot.gguf
cat > tools.json << 'END'
[{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}},
 {"type": "function", "function": {"name": "where"}}]
END
cat > t.jinja << 'END'
{{ bos_token }}{% for t in tools or [] %}{{ t.function.name }} {% endfor %}
{% for m in messages %}
{% if m.role == 'tool' %}
{{ m.name }}({{ m.tool_call_id }})={{ m.content }}
{% if m.content == 'bad' %}{{ raise_exception('a bad reply: ' ~ messages | tojson) }}{% endif %}
{% elif m.tool_calls %}
{{ m.content }}{% for c in m.tool_calls %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}
{% else %}{{ m.content }}{% endif %}
{% endfor %}
{% if add_generation_prompt %}{{ 'R>' if messages[-1].role == 'tool' else 'A>' }}{% endif %}
END
chat() { SOURCE_DATE_EPOCH=0 "$LORY" chat -m "$model" --template t.jinja -s 1 --temp 0 "$@"; }
echo "-- a call for each line, a reply for each call, then the answer; ids go on"
printf 'What is 1+2?\n3\nRome\nThanks\n' | chat --tools tools.json
echo "-- a reply of several lines, taken back, once more"
printf 'What?\n3\n/undo\n4\n{"tool_reply": "two\\nlines"}\n/undo\n/undo\nAnd?\n' | chat --tools tools.json
echo "-- saved between two replies"
printf 'What is 1+2?\n3\n' | chat --tools tools.json --save talk > /dev/null
printf 'Rome\nThanks\n' | chat --load talk
echo "-- a call that is cut is shown as it is"
echo 'What?' | chat --tools tools.json -n 2
echo "-- what the template is given"
printf 'What?\n3\nbad\n' | chat --tools tools.json || echo "exit $?"
echo "-- without tools a call is a text"
echo 'What?' | chat
