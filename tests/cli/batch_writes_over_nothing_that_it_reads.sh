echo '{"id": 1, "messages": [{"role": "user", "content": "Tom"}], "max_tokens": 3}' > in
cp in in.resume && cp "$MODEL" model.gguf && cp "$MODEL" o.resume
echo '{{ messages[0].content }}' > t.jinja
echo 'root ::= .*' > g.gbnf
echo '{}' > s.json
sha256sum in in.resume model.gguf o.resume t.jinja g.gbnf s.json > sums
no() { "$LORY" batch --template t.jinja "$@" || echo "exit $?"; sha256sum -c --quiet sums; }
no -i in -o in
no -i in.resume -o in
no -m model.gguf -i in -o model.gguf
LORY_MODEL=model.gguf no -i in -o model.gguf
no -m o.resume -i in -o o
no -i in -o t.jinja
no -i in -o g.gbnf --grammar g.gbnf
no -i in -o s.json --json-schema s.json
ln in hard && ln -s in soft
no -i in -o hard
no -i soft -o in
"$LORY" batch --template t.jinja -i in >> in || sha256sum -c --quiet sums
# a sidecar that can't be made leaves the answers that are there
mkdir out.resume && echo kept > out
no -i in -o out
cat out
