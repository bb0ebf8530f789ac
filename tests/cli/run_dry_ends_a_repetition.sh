# greedy, it goes round in circles; DRY ends that, the same for any threads and in lory batch
say() { "$LORY" run -p "The cat sat. The cat sat. The cat sat. The" --temp 0 -n 12 "$@"; }
say > plain
say --dry-multiplier 2 | tee dry
cmp -s plain dry && echo "DRY changes nothing" || true
say --dry-multiplier 2 -t 1 | cmp - dry
say --dry-multiplier 2 --dry-base 0.5 | cmp - plain                   # off
say --dry-multiplier 2 --dry-penalty-last-n 0 | cmp - plain
say --dry-multiplier 2 --dry-allowed-length 40 | cmp - plain
say --dry-multiplier 2 --dry-sequence-breaker . --dry-sequence-breaker e | cmp - plain
say --dry-multiplier 2 --dry-sequence-breaker cat --dry-sequence-breaker none > unbroken
say --dry-multiplier 2 --dry-sequence-breaker none | cmp - unbroken
cat > in <<'END'
{"prompt": "The cat sat. The cat sat. The cat sat. The", "temperature": 0, "max_tokens": 12, "dry_multiplier": 2, "mirostat": 0}
{"prompt": "The cat sat. The cat sat. The cat sat. The", "temperature": 0, "max_tokens": 12, "dry_multiplier": 2, "dry_sequence_breakers": [".", "e"]}
{"prompt": "a", "dry_sequence_breakers": [""]}
{"prompt": "a", "dry_base": "x"}
{"prompt": "a", "mirostat": 2}
END
"$LORY" batch -i in || echo "exit $?"
"$LORY" run --dry-sequence-breaker "" -p a || echo "exit $?"
"$LORY" run --mirostat 2 -p a || echo "exit $?"
