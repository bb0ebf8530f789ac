# Bytes that are no character all look the same: of an object with one key for each of them most
# readers would take the least likely. Token 198 is the first byte of a character.
echo '{"prompt":"Once","max_tokens":2,"logprobs":20,"temperature":0,"logit_bias":{"198":1000}}' |
    "$LORY" batch -m "$BUNDLED" | grep -oE '"tokens":[^]]*|"�":[^,}]*'
