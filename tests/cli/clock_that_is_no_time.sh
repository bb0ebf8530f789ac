echo '{{ strftime_now("%Y") }}' > t.jinja
for now in noon 1.5 -1 99999999999999 ''; do
    echo '{}' | SOURCE_DATE_EPOCH=$now "$LORY" template --template t.jinja > year 2> err || echo $?
    cat err
done
export SOURCE_DATE_EPOCH=today
echo '{"prompt":"a","max_tokens":1}' | "$LORY" batch 2> err || echo $?
cat err
echo a | "$LORY" chat -n 1 2> err || echo $?
cat err
"$LORY" run -p "Once upon a" -n 1 --temp 0
