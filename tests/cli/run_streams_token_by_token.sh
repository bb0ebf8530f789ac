# The first words are there while the run still goes on (it would take many minutes).
mkfifo pipe
timeout 60 "$LORY" run -p "Once upon a time" --ignore-eos -c 100000 > pipe 2> err &
head -c 20 pipe | wc -c
wait || true
