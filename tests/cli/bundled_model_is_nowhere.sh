# One line that says where it was looked for; the last folder is a matter of the build.
unset LORY_MODEL
mkdir -p a/b/bin
cp "$LORY" a/b/bin/lory
here=$(pwd -P)
a/b/bin/lory run -p hi 2> line && exit 9 || status=$?
test ! -e "$(sed 's/.*, \(.*\))$/\1/' line)"/tales-3m-q8_0.gguf || exit 77
sed "s|$here|HERE|g; s|, [^ ]*)|, INSTALLED)|" line >&2
exit $status
