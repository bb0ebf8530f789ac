"$LORY" run -p "Once upon a time" --temp 0 -n 12 --cache-type f16; echo
"$LORY" run -p "Once upon a time" --temp 0 -n 12 --cache-type f32; echo
