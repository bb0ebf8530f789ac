export LORY_ISA=avx1024
"$LORY" run -p hi -n 1 2> err || echo $?
sed 's/one of .*generic/one of ... generic/' err
"$LORY" tokenize -p hi 2> /dev/null || echo $?
"$LORY" run --help | head -n 1
LORY_ISA= "$LORY" run -p "Once upon a" -n 1 --temp 0
