cat > gemma.jinja <<'END'
{%- if tools %}<|turn>system
{% for t in tools %}<|tool>declaration:{{ t.function.name }}{}<tool|>{% endfor %}<turn|>
{% endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}<|tool_response>response:{{ m.name }}{value:<|"|>{{ m.content }}<|"|>}<tool_response|>
{%- else %}<|turn>{{ 'model' if m.role == 'assistant' else m.role }}
{{ m.content }}
{%- for c in m.tool_calls %}<|tool_call>call:{{ c.function.name }}{
{%- for k, v in c.function.arguments | dictsort %}{{ k }}:<|"|>{{ v }}<|"|>{% endfor %}}<tool_call|>
{%- endfor %}<turn|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|turn>model
{% endif %}
END
hi='"max_tokens":200,"messages":[{"role":"user","content":"Hi"}]'
tools='"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}]'
echo 'root ::= "Hm. <|tool_call>call:weather{city:<|\"|>Rome, \"I\"<|\"|>,days:[1,{x:null}]}<tool_call|>"' > calls.gbnf
cat > in.jsonl <<END
{"id":1,$hi,$tools}
{"id":2,$hi,$tools,"tool_choice":"required"}
END
"$LORY" batch --template gemma.jinja -i in.jsonl --grammar calls.gbnf
