for i in 1 2 3 4 5 6 7 8; do
    echo "One day, a cat named Tom saw $i red balls. He was very happy and wanted to play with them."
done > text
"$LORY" eval -f text -c 64 --json -t 1 > want
"$LORY" eval -f text -c 64 --json -t 3 -b 7 | cmp want -
LORY_ISA=generic "$LORY" eval -f text -c 64 --json -t 2 | cmp want -
sed 's/:[0-9.]*/:N/g' want
