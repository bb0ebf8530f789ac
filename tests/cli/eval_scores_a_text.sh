# what the log-probabilities of lory logits come to, worked out by awk
text="Once upon a time there was a little girl named Lily. She loved to play outside."
ids=$("$LORY" tokenize -p "$text" --bos | tr -d '[] ')
"$LORY" logits --ids "$ids" --all | tr -d '{}[]"' | sed 's/.*logits://' | awk -F, -v ids="$ids" '
    BEGIN { n = split(ids, id, ",") }
    NR < n {
        max = $1; sum = 0
        for (i = 2; i <= NF; i++) if ($i > max) max = $i
        for (i = 1; i <= NF; i++) sum += exp($i - max)
        x = max + log(sum) - $(id[NR + 1] + 1)
        nll += x; squares += x * x
    }
    END {
        m = n - 1; mean = nll / m
        error = exp(mean) * sqrt((squares / m - mean * mean) / (m - 1))
        printf "perplexity     %.4f +/- %.4f\n", exp(mean), error
    }' > want
printf %s "$text" | "$LORY" eval --all-tokens > got
head -n 1 got | diff want -
sed 's/of [0-9]*, /of N, /' got | tail -n 1 | sed 's/[0-9][0-9]* tokens/N tokens/'
