/* byte_chars.c - see byte_chars.h. */
#include "convert/byte_chars.h"
#include "base/utf8.h"
#include <string.h>

uint32_t char_of_byte(unsigned char b)
{
    bool is_plain = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    int n_before = b < 33 ? b : b < 161 ? 33 + b - 127 : 33 + 34; /* bytes that are not plain */
    return is_plain ? b : 256u + (unsigned)n_before;
}

int byte_of_text(gguf_str text)
{
    char coded[UTF8_MAX_BYTES];
    for (int b = 0; b < 256 && text.n <= 2; b++)
        if (utf8_encode(char_of_byte((unsigned char)b), coded) == text.n
            && memcmp(coded, text.s, text.n) == 0)
            return b;
    return -1;
}
