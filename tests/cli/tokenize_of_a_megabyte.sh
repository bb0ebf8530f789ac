yes "One day, a little dog went to the park. It was happy." | head -c 1000000 > in
"$LORY" tokenize < in > ids
"$LORY" tokenize --decode < ids | cmp - in
wc -l < ids
