# The threads' stacks too: those of some C libraries are little larger.
test -z "${TEST_SLOW-}" || exit 77 # a sanitizer's frames are larger, an emulator has its own
ulimit -s 64
# What is in the environment lies on the stack, too.
try() { env -i LC_ALL=C "$LORY" "$@" > out 2> err || { echo "exit $?"; cat err; }; }
yes 'Once upon a time there was a cat who liked to sing.' | head -n 20 > text
echo '{"prompt": "Tom", "max_tokens": 5}' > in
echo '{"type": "array", "items": {"enum": ["glad", "sad"]}, "maxItems": 3}' > schema
try inspect "$BUNDLED"
try inspect --json "$BUNDLED"
try run -n 5 -p Tom -t 3
try run -n 5 -p Tom --json-schema schema
try logits --ids 1,2,3
try eval -f text -c 64
try batch -i in -o answers
try imatrix -m "$BUNDLED" -f text -o imatrix
try quantize "$BUNDLED" q.gguf q2_k --imatrix imatrix -t 3
try convert "$BUNDLED" -o f16.gguf --type f16
try bench -p 16 -n 4 -r 1
try tokenize -p Tom
echo '["glad"]' | try grammar --json-schema schema
echo '{"messages": [{"role": "user", "content": "Hi"}]}' | try template -m "$BUNDLED"
echo Hi | try chat -m "$BUNDLED" -n 5
