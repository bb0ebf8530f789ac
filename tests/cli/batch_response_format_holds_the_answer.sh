cat > in.jsonl << 'END'
{"id": 1, "prompt": "A person: ", "max_tokens": 200, "response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "minimum": 1, "maximum": 99}, "mood": {"enum": ["glad", "sad"]}}, "required": ["name", "age"]}}}}
{"id": 2, "prompt": "Once", "max_tokens": 4, "response_format": {"type": "json_object"}}
{"id": 3, "prompt": "Once", "max_tokens": 4, "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "array", "uniqueItems": true}}}}
{"id": 4, "prompt": "Once", "response_format": {"type": "json_schema"}}
{"id": 5, "prompt": "Once", "max_tokens": 4, "response_format": {"type": "text"}}
{"custom_id": "6", "method": "POST", "url": "/v1/completions", "body": {"prompt": "I say ", "n": 2, "response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": ["yes", "no", null]}}}}}
{"id": 7, "prompt": "Is it so? "}
END
echo 'root ::= "yes" | "no" | "we do not know"' > answer.gbnf
batch() { "$LORY" batch -i in.jsonl -o "$@" --grammar answer.gbnf || echo "exit $?"; }
batch out --parallel 1 -t 1
cat out
batch out-8 --parallel 8 -t 3 2> log
cmp out out-8
head -n 2 out > part && cp out.resume part.resume
batch part --resume 2> log
cmp out part
echo 'root ::= "no"' > answer.gbnf
batch part --resume
