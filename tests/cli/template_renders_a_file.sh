cat > t.jinja << 'END'
{% for m in messages %}
<|{{ m.role }}|>{{ m.content | trim }}{{ eos_token }}
{% endfor %}
{% if add_generation_prompt %}<|assistant|>{% endif %}
{{ strftime_now("%Y-%m-%d") }} {{ tools is none }}
END
echo '{"messages": [{"role": "user", "content": " Hi "}], "add_generation_prompt": true, "eos_token": "</s>"}' |
    SOURCE_DATE_EPOCH=1721995200 "$LORY" template --template t.jinja
echo
