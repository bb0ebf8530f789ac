cat > hermes.jinja <<'END'
{%- if messages[0].content == 'show' %}{{ raise_exception(messages[1:] | tojson) }}{% endif %}
{%- if tools %}<|im_start|>system
{% for t in tools %}{{ t | tojson }}
{% endfor %}<|im_end|>
{% endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}<|im_start|>user
<tool_response name={{ m.name }}>{{ m.content }}</tool_response><|im_end|>
{% else %}<|im_start|>{{ m.role }}
{{ m.content }}
{%- for c in m.tool_calls %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}
END
weather='{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"enum":["Rome","Paris"]}},"required":["city"]}}}'
hi='"max_tokens":200,"messages":[{"role":"user","content":"Hi"}]'
tools="\"tools\":[$weather,{\"name\":\"time\"}]"
chat='"url":"/v1/chat/completions"'
echo 'root ::= ("Let me see. " | "") "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>" ("\n<tool_call>\n{\"name\": \"time\", \"arguments\": {}}\n</tool_call>" | "")' > calls.gbnf
batch() { "$LORY" batch --template hermes.jinja -i in.jsonl "$@"; }

# Calls that the model makes, one way or another.
cat > in.jsonl <<END
{"id":1,$hi,$tools}
{"id":2,$hi,$tools,"n":3}
{"custom_id":"3",$chat,"body":{$hi,$tools,"n":2}}
{"custom_id":"4",$chat,"body":{$hi,$tools,"n":2,"parallel_tool_calls":false}}
{"custom_id":"5",$chat,"body":{$hi,$tools,"tool_choice":"none"}}
{"id":6,$hi,"tools":[]}
END
sed 's/"max_tokens":200/"max_tokens":5/; s/"id":1/"id":7/; 1!d' in.jsonl > cut && cat cut >> in.jsonl
batch --grammar calls.gbnf -o out
cat out
batch --grammar calls.gbnf --parallel 1 -t 1 | cmp - out
head -c 1000 out > part && cp out.resume part.resume && batch --grammar calls.gbnf -o part --resume && cmp part out

# Calls that are asked for: the answer is held to one of them.
cat > in.jsonl <<END
{"id":1,$hi,$tools,"tool_choice":"required","n":4}
{"id":2,$hi,$tools,"tool_choice":{"type":"function","function":{"name":"weather"}}}
{"custom_id":"3",$chat,"body":{$hi,$tools,"tool_choice":{"type":"function","function":{"name":"time"}}}}
{"id":4,$hi,"tools":[$weather],"tool_choice":"required","max_tokens":3}
END
batch | sed 's/"id":"[0-9A-Za-z]\{9\}"/ID/g; s/"city\\":\\"\(Rome\|Paris\)/CITY/g; s/"usage.*//'

# The messages of a talk go to the template in the form that it wants, with tools or without.
call='{"role":"assistant","content":null,"tool_calls":[{"id":"x1","type":"function","function":{"name":"time","arguments":"{\"z\":  1}"}},{"id":"x2","type":"function","function":{"name":"none","arguments":""}}]}'
talk="\"messages\":[{\"role\":\"user\",\"content\":\"show\"},$call,{\"role\":\"tool\",\"tool_call_id\":\"x1\",\"name\":null,\"content\":\"4 pm\"}]"
echo "{$talk}
{$talk,$tools}" > in.jsonl
batch 2> log || echo "exit $?"
sed "s/m.content }}/m.content if m.content is not none else '' }}/; s/| tojson }}}/}}}/" hermes.jinja > text.jinja
"$LORY" batch --template text.jinja -i in.jsonl 2> log || echo "exit $?"

# What a channel that is not the last says is not the answer.
printf '{%% for m in messages %%}{{ m.content }}{%% endfor %%}<|start|>assistant{#<|channel|>analysis<|message|><|channel|>final<|message|>#}' > channels.jinja
echo 'root ::= "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes."' > channels.gbnf
echo "{$hi}" | "$LORY" batch --template channels.jinja --grammar channels.gbnf

cat > in.jsonl <<END
{"id":1,$hi,"tools":{}}
{"id":2,$hi,"tool_choice":"required"}
{"id":3,$hi,"tool_choice":{"type":"function","function":{"name":"x"}}}
{"id":4,$hi,$tools,"tool_choice":"some"}
{"id":5,$hi,$tools,"response_format":{"type":"json_object"}}
{"id":6,$hi,$tools,"response_format":{"type":"json_object"},"tool_choice":"required"}
{"id":7,$hi,"tools":[{"type":"custom"}]}
{"id":8,"prompt":"Hi",$tools}
{"id":9,"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"time","arguments":"{\"z\":"}}]}]}
{"id":10,"messages":[{"role":"assistant","tool_calls":["time"]}]}
{"id":11,$hi,"tools":[{"name":"a b"}],"tool_choice":"required"}
{"id":12,$hi,$tools,"parallel_tool_calls":"no"}
{"id":13,$hi,"tools":[{"name":"a","parameters":{"type":"array","uniqueItems":true}}],"tool_choice":"required"}
END
batch || echo "exit $?"
printf '{%% for m in messages %%}{{ m.content }}{%% endfor %%}' > hermes.jinja
head -n 2 in.jsonl | sed 's/"tools":{}/"tools":[{"name":"time"}]/' > few && mv few in.jsonl
batch || echo "exit $?"
