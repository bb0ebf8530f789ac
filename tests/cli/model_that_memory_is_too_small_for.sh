# The smallest context there is, and what there is for it. Not for a build that needs more to start.
ulimit -v 20000
"$LORY" --version > /dev/null 2>&1 || exit 77
"$LORY" run -m "$BUNDLED" -p Once -t 1 -b 8192 2> err && echo "it fits" || echo "exit $?"
sed -E 's/^.*tales/lory: tales/; s/[0-9]+\.[0-9]/X/g' err
