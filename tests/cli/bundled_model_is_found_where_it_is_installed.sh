unset LORY_MODEL
mkdir -p here/bin here/share/lory tree/models tree/build/release
cp "$LORY" here/bin/lory
cp "$BUNDLED" here/share/lory/
here/bin/lory tokenize -p "Once upon a time"
PATH="$PWD/here/bin:$PATH" lory tokenize -p "Once upon a time"
cp "$LORY" tree/lory
cp "$LORY" tree/build/release/lory
cp "$BUNDLED" tree/models/
tree/lory tokenize -p "Once upon a time"
tree/build/release/lory tokenize -p "Once upon a time"
