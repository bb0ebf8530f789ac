round() { "$LORY" tokenize < in > ids && "$LORY" tokenize --decode < ids | cmp - in; }
printf 'Once upon a time' > in && round
printf ' two  spaces \n\n\t and lines\r\n ' > in && round
printf 'na\303\257ve \360\237\230\200 \346\227\245\346\234\254' > in && round
printf 'broken \377\376 \303 \360\237 utf-8' > in && round
printf 'a\000b\000' > in && round
printf '<s> </s> <unk> <0x41>' > in && round
