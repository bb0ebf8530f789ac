#!/bin/sh -eu
# train_tales.sh - makes the models of models/ from the corpus folder: texts, vocabularies, training,
# fine-tuning, quantisation. What models/README.md says of them is of just these commands.
#
#     tools/train_tales.sh CORPUS OUT        (programs from $TOOLS and $LORY)
#
# Stopped, it goes on from the checkpoints in OUT when it is started again.
corpus=$1 out=$2
tools=${TOOLS:-build/release/tools} lory=${LORY:-build/release/lory}
mkdir -p "$out"
log() { echo "train_tales: $*" >&2; }

# train NAME OPTIONS ...: a stage of the training, skipped when it is done
train() {
    name=$1
    shift
    if [ -s "$out/$name.gguf" ]; then return; fi
    log "$name"
    "$tools/train" --checkpoint "$out/$name.ckpt" -o "$out/$name.gguf" --set author=lory "$@"
}

# use OPTION FILE WEIGHT, and the same for each of the renamed stories
use() { echo "$1 $out/$2:$3"; }
renamed() {
    for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
        use "$1" "tinystories-renamed-$k.train.txt" "$2"
    done
}

log "texts"
"$tools/make_corpus" --renamed 16 "$corpus" "$out" 2> "$out/counts.txt"
raw=$out/tinystories-raw.train.txt
"$tools/train_tokenizer" --vocab 2048 --running "$raw" -o "$out/tokenizer-2048.gguf" "$raw" "$raw" \
    "$out/books-plain.train.txt" "$out/persona.train.jsonl" "$out/soda.train.jsonl" \
    "$out/smalltalk.train.jsonl"

# Stories, each by itself and as one running text, with their own names and sixteen times with
# others; books; conversations. Two thirds of a schedule, with much against fitting too closely; its
# first 1,427 steps were taken when it was to be shorter.
shape="--vocab $out/tokenizer-2048.gguf --n-embd 256 --n-layer 4 --n-head 8 --n-kv-head 4 --n-ff 512"
held="--held-back $out/tinystories.held.txt --held-back $out/books.held.txt
      --held-back-chat $out/persona.held.jsonl --held-back-chat $out/requests.held.jsonl"
pretrain() {
    train "$@" $shape $held \
        $(use --text tinystories-raw.train.txt 0.12) $(renamed --text 0.0125) \
        $(use --running tinystories-raw.train.txt 0.13) $(renamed --running 0.0125) \
        $(use --text books-plain.train.txt 0.12) $(use --chat requests.train.jsonl 0.06) \
        $(use --chat persona.train.jsonl 0.06) $(use --chat persona-swapped.train.jsonl 0.05) \
        $(use --chat soda.train.jsonl 0.02) $(use --chat smalltalk.train.jsonl 0.02) \
        --batch 6 --lr 3e-3 --decay 0.5 --dropout 0.1 --split 0.06 --eval-every 1000 --seed 1
}
pretrain begun --steps 6600 --stop-after 1427
[ -s "$out/pretrained.ckpt" ] || cp "$out/begun.ckpt" "$out/pretrained.ckpt"
pretrain pretrained --steps 8400 --stop-after 5665

# More conversations and fewer books, less dropout, and the rate down to nothing.
train tuned $shape $held --from "$out/pretrained.gguf" \
    $(use --text tinystories-raw.train.txt 0.12) $(renamed --text 0.0075) \
    $(use --running tinystories-raw.train.txt 0.16) $(renamed --running 0.0075) \
    $(use --text books-plain.train.txt 0.04) $(use --chat requests.train.jsonl 0.12) \
    $(use --chat requests-renamed-1.train.jsonl 0.02) \
    $(use --chat requests-renamed-2.train.jsonl 0.02) \
    $(use --chat requests-renamed-3.train.jsonl 0.02) \
    $(use --chat requests-renamed-4.train.jsonl 0.02) $(use --chat persona.train.jsonl 0.10) \
    $(use --chat persona-swapped.train.jsonl 0.05) $(use --chat soda.train.jsonl 0.03) \
    $(use --chat smalltalk.train.jsonl 0.06) \
    --batch 6 --steps 2900 --warmup 20 --lr 8e-4 --decay 0.5 --dropout 0.05 --eval-every 1000 \
    --seed 2 --set name=tales-3m \
    --set "license=weights MIT; texts CDLA-Sharing-1.0, CC BY 4.0 and public domain" \
    --set "description=Tells short tales and makes small talk. Trained from scratch with lory's own trainer."
"$lory" quantize "$out/tuned.gguf" "$out/tales-3m-q8_0.gguf" q8_0

# The tiny one for tests.
stories=$out/tinystories.train.txt
"$tools/train_tokenizer" --vocab 512 -o "$out/tokenizer-512.gguf" "$stories" "$stories" "$stories" \
    "$out/books.train.txt" "$out/persona.train.jsonl" "$out/soda.train.jsonl" \
    "$out/smalltalk.train.jsonl"
train tiny --vocab "$out/tokenizer-512.gguf" $(use --text tinystories.train.txt 0.6) \
    $(use --chat requests.train.jsonl 0.3) $(use --chat smalltalk.train.jsonl 0.1) \
    --n-embd 64 --n-layer 3 --n-head 2 --n-kv-head 1 --n-ff 160 \
    --batch 6 --steps 1500 --warmup 50 --lr 1e-2 --seed 1 \
    --set name=tales-tiny --set "license=weights MIT; texts CDLA-Sharing-1.0 (TinyStories)" \
    --set "description=A tiny model for tests. Trained from scratch on TinyStories (part) with train.c."
"$lory" quantize "$out/tiny.gguf" "$out/tales-tiny-q8_0.gguf" q8_0
