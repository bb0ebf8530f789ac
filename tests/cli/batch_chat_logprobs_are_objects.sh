# Each token of a chat's answer is an object, as the API has it; a line of our own shape lists the
# same numbers.
"$LORY" batch -m "$MODEL" << 'END' | sed -E 's/.*("logprobs":)/\1/; s/,"(finish_reason|usage)".*//'
{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"messages":[{"role":"user","content":"hi"}],"max_tokens":3,"temperature":0,"logprobs":true,"top_logprobs":2}}
{"messages":[{"role":"user","content":"hi"}],"max_tokens":3,"temperature":0,"logprobs":2}
{"custom_id":"b","method":"POST","url":"/v1/chat/completions","body":{"messages":[{"role":"user","content":"hi"}],"max_tokens":2,"temperature":0,"logprobs":true}}
END
