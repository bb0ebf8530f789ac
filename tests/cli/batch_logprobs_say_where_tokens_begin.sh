# In characters of the text, which lacks the blank that SentencePiece puts before a text; the
# tokens before a stop text are all there.
ask() {
    printf '%s\n' "$1" | "$LORY" batch -m "$BUNDLED" --temp 0 |
        grep -oE '("text"|"tokens"|"text_offset"):("[^"]*"|\[[^]]*\])'
}
hi='"messages":[{"role":"user","content":"hi"}],"logprobs":0'
ask "{$hi,\"max_tokens\":6}"
ask "{$hi,\"stop\":\" nice\"}"
ask '{"prompt":"","logprobs":0,"max_tokens":4}'
ask '{"prompt":"a","logprobs":0,"response_format":{"type":"json_schema","json_schema":{"schema":{"const":"\u00e9\u20aca b"}}}}'
