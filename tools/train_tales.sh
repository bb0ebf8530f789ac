#!/bin/sh -eu
# train_tales.sh - makes the models of models/ from the corpus folder: texts, vocabularies, training,
# quantisation. What models/README.md says of them is of just these commands.
#
#     tools/train_tales.sh CORPUS OUT        (programs from $TOOLS and $LORY)
#
# Stopped, it goes on from the checkpoints in OUT when it is started again.
corpus=$1 out=$2
tools=${TOOLS:-build/release/tools} lory=${LORY:-build/release/lory}
mkdir -p "$out"
log() { echo "train_tales: $*" >&2; }

log "texts"
"$tools/make_corpus" --renamed 8 "$corpus" "$out" 2> "$out/counts.txt"
for n in 512 2048; do
    "$tools/train_tokenizer" --vocab $n -o "$out/tokenizer-$n.gguf" "$out/tinystories.train.txt" \
        "$out/tinystories.train.txt" "$out/tinystories.train.txt" "$out/books.train.txt" \
        "$out/persona.train.jsonl" "$out/soda.train.jsonl" "$out/smalltalk.train.jsonl"
done

# train NAME STEPS-OF-ALL OPTIONS ...: a step of the making, skipped when it is done
train() {
    name=$1
    shift
    if [ -s "$out/$name.gguf" ]; then return; fi
    log "$name"
    "$tools/train" --checkpoint "$out/${checkpoint:-$name}.ckpt" --author lory --name "$as" \
        --licence "$licence" \
        --description "$about" --beta2 0.99 --lr-end 0.02 --average 0.98 -o "$out/$name.gguf" "$@"
}
text() { echo "$out/$1.train.txt:$2"; }
chat() { echo "$out/$1.train.jsonl:$2"; }

licence="weights MIT; texts CDLA-Sharing-1.0, CC BY 4.0 and public domain"
as=tales-3m about="Tells short tales and makes small talk. Trained from scratch with lory's own trainer."
shape="--vocab $out/tokenizer-2048.gguf --n-embd 256 --n-layer 4 --n-head 8 --n-kv-head 4 --n-ff 512 --n-ctx 512"
held="--held-back $out/tinystories.held.txt --held-back $out/books.held.txt
      --held-back-chat $out/persona.held.jsonl --held-back-chat $out/requests.held.jsonl"

# Stories and plain books, no dropout; the schedule was changed on the way.
first="--text $(text tinystories 0.6) --text $(text tinystories-renamed-1 0.1)
       --text $(text tinystories-renamed-2 0.1) --text $(text books-plain 0.2)
       --batch 6 --warmup 100 --lr 3e-3 --seed 1"
checkpoint=first train first-a $shape $first --steps 4000 --stop-after 1660
checkpoint=first train first-b $shape $first --steps 7000 --stop-after 2560

# Much the same stories with many other names, conversations too, against fitting too closely; more
# is dropped for a while in the middle.
renamed=
for k in 1 2 3 4 5 6 7 8; do renamed="$renamed --text $(text tinystories-renamed-$k 0.04)"; done
second="--text $(text tinystories 0.3) $renamed --text $(text books-plain 0.1)
        --chat $(chat requests 0.06) --chat $(chat persona 0.08) --chat $(chat persona-swapped 0.06)
        --chat $(chat soda 0.02) --chat $(chat smalltalk 0.03)
        --batch 9 --warmup 50 --lr 2e-3 --decay 0.3 --seed 2"
from=$out/first-b.gguf
checkpoint=second train second-a $shape $second --from "$from" --dropout 0.1 --steps 2600 \
    --stop-after 1397
checkpoint=second train second-b $shape $second --from "$from" --dropout 0.1 --steps 3100 \
    --stop-after 2052
checkpoint=second train second-c $shape $second --from "$from" --dropout 0.2 --drop-tokens 0.1 \
    --steps 3600 --stop-after 2587
checkpoint=second train second $shape $held $second --from "$from" --dropout 0.1 --steps 3500

# Fine-tuning on conversations, with stories so that they stay.
train tuned $shape $held --from "$out/second.gguf" --text "$(text tinystories 0.2)" \
    --text "$(text tinystories-renamed-1 0.05)" --text "$(text tinystories-renamed-2 0.05)" \
    --chat "$(chat requests 0.2)" --chat "$(chat requests-renamed-1 0.05)" \
    --chat "$(chat requests-renamed-2 0.05)" --chat "$(chat persona 0.12)" \
    --chat "$(chat persona-swapped 0.08)" --chat "$(chat soda 0.04)" \
    --chat "$(chat smalltalk 0.16)" --batch 9 --steps 350 --warmup 20 --lr 3e-4 --dropout 0.1 \
    --seed 3
"$lory" quantize "$out/tuned.gguf" "$out/tales-3m-q8_0.gguf" q8_0

licence="weights MIT; texts CDLA-Sharing-1.0 (TinyStories)"
as=tales-tiny about="A tiny model for tests. Trained from scratch on TinyStories (part) with train.c."
train tiny --vocab "$out/tokenizer-512.gguf" --text "$(text tinystories 0.6)" \
    --chat "$(chat requests 0.3)" --chat "$(chat smalltalk 0.1)" --n-embd 64 --n-layer 3 --n-head 2 \
    --n-kv-head 1 --n-ff 160 --batch 6 --steps 1500 --warmup 50 --lr 1e-2 --seed 1
"$lory" quantize "$out/tiny.gguf" "$out/tales-tiny-q8_0.gguf" q8_0
