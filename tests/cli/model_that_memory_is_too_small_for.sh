# The smallest context there is, and what there is for it. Not for a build that has no room for the model itself.
ulimit -v 20000
"$LORY" tokenize -m "$BUNDLED" -p Once > /dev/null 2>&1 || exit 77
"$LORY" run -m "$BUNDLED" -p Once -t 1 -b 8192 2> err && echo "it fits" || echo "exit $?"
sed -E 's/^.*tales/lory: tales/; s/[0-9]+\.[0-9]/X/g' err
