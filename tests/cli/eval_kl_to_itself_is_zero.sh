for i in 1 2 3 4 5 6; do echo "The dog saw $i birds in the tree and barked at them all day."; done > text
"$LORY" eval -f text -c 32 --save-logits saved > plain
"$LORY" eval -f text -c 32 --kl saved > compared
head -n 3 compared | cmp - plain
sed 's/perplexity .*/perplexity N/' compared | tail -n 3
"$LORY" eval -f text -c 32 --cache-type q8_0 --kl saved --json |
    sed 's/.*\("kl":\)\([0-9.e-]*\),.*/\2/' | awk '{ print ($1 > 0 && $1 < 0.05) ? "small" : $1 }'
