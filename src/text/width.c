/* width.c - see width.h. The wide ranges are those of EastAsianWidth.txt (W and F), Unicode 15;
 * small gaps of unassigned characters inside a script are taken along. */
#include "text/width.h"
#include "base/utf8.h"
#include "text/unicode.h"

typedef struct {
    uint32_t first, last;
} range;

static const range wide[] = {
    { 0x1100, 0x115F },   { 0x231A, 0x231B },   { 0x2329, 0x232A },   { 0x23E9, 0x23EC },
    { 0x23F0, 0x23F0 },   { 0x23F3, 0x23F3 },   { 0x25FD, 0x25FE },   { 0x2614, 0x2615 },
    { 0x2648, 0x2653 },   { 0x267F, 0x267F },   { 0x2693, 0x2693 },   { 0x26A1, 0x26A1 },
    { 0x26AA, 0x26AB },   { 0x26BD, 0x26BE },   { 0x26C4, 0x26C5 },   { 0x26CE, 0x26CE },
    { 0x26D4, 0x26D4 },   { 0x26EA, 0x26EA },   { 0x26F2, 0x26F3 },   { 0x26F5, 0x26F5 },
    { 0x26FA, 0x26FA },   { 0x26FD, 0x26FD },   { 0x2705, 0x2705 },   { 0x270A, 0x270B },
    { 0x2728, 0x2728 },   { 0x274C, 0x274C },   { 0x274E, 0x274E },   { 0x2753, 0x2755 },
    { 0x2757, 0x2757 },   { 0x2795, 0x2797 },   { 0x27B0, 0x27B0 },   { 0x27BF, 0x27BF },
    { 0x2B1B, 0x2B1C },   { 0x2B50, 0x2B50 },   { 0x2B55, 0x2B55 },   { 0x2E80, 0x303E },
    { 0x3041, 0x3247 },   { 0x3250, 0x4DBF },   { 0x4E00, 0xA4C6 },   { 0xA960, 0xA97C },
    { 0xAC00, 0xD7A3 },   { 0xF900, 0xFAFF },   { 0xFE10, 0xFE19 },   { 0xFE30, 0xFE6B },
    { 0xFF01, 0xFF60 },   { 0xFFE0, 0xFFE6 },   { 0x16FE0, 0x16FFF }, { 0x17000, 0x18CFF },
    { 0x18D00, 0x18D08 }, { 0x1AFF0, 0x1B2FF }, { 0x1F004, 0x1F004 }, { 0x1F0CF, 0x1F0CF },
    { 0x1F18E, 0x1F18E }, { 0x1F191, 0x1F19A }, { 0x1F200, 0x1F320 }, { 0x1F32D, 0x1F335 },
    { 0x1F337, 0x1F37C }, { 0x1F37E, 0x1F393 }, { 0x1F3A0, 0x1F3CA }, { 0x1F3CF, 0x1F3D3 },
    { 0x1F3E0, 0x1F3F0 }, { 0x1F3F4, 0x1F3F4 }, { 0x1F3F8, 0x1F43E }, { 0x1F440, 0x1F440 },
    { 0x1F442, 0x1F4FC }, { 0x1F4FF, 0x1F53D }, { 0x1F54B, 0x1F54E }, { 0x1F550, 0x1F567 },
    { 0x1F57A, 0x1F57A }, { 0x1F595, 0x1F596 }, { 0x1F5A4, 0x1F5A4 }, { 0x1F5FB, 0x1F64F },
    { 0x1F680, 0x1F6C5 }, { 0x1F6CC, 0x1F6CC }, { 0x1F6D0, 0x1F6D2 }, { 0x1F6D5, 0x1F6D7 },
    { 0x1F6DC, 0x1F6DF }, { 0x1F6EB, 0x1F6EC }, { 0x1F6F4, 0x1F6FC }, { 0x1F7E0, 0x1F7EB },
    { 0x1F7F0, 0x1F7F0 }, { 0x1F90C, 0x1F93A }, { 0x1F93C, 0x1F945 }, { 0x1F947, 0x1F9FF },
    { 0x1FA70, 0x1FAFF }, { 0x20000, 0x2FFFD }, { 0x30000, 0x3FFFD },
};
enum { N_WIDE = sizeof wide / sizeof wide[0], ZERO_WIDTH_JOINER = 0x200D };

static int is_wide(uint32_t cp)
{
    size_t low = 0, high = N_WIDE;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (cp > wide[mid].last)
            low = mid + 1;
        else
            high = mid;
    }
    return low < N_WIDE && cp >= wide[low].first;
}

int width_of(uint32_t cp)
{
    enum { SOFT_HYPHEN = 0xAD };
    const uint32_t invisible = UNICODE_BIT(UNICODE_MN) | UNICODE_BIT(UNICODE_ME)
                               | UNICODE_BIT(UNICODE_CC) | UNICODE_BIT(UNICODE_CF)
                               | UNICODE_BIT(UNICODE_ZL) | UNICODE_BIT(UNICODE_ZP);
    if (cp == SOFT_HYPHEN) return 1;
    /* vowels and finals of Hangul join the initial before them */
    if ((cp >= 0x1160 && cp <= 0x11FF) || (cp >= 0xD7B0 && cp <= 0xD7FB)) return 0;
    if (unicode_bits(cp) & invisible) return 0;
    return is_wide(cp) ? 2 : 1;
}

size_t width_step(const char *s, size_t n)
{
    uint32_t cp;
    size_t at = utf8_decode(s, n, &cp);
    if (cp < 0x20) return at;
    while (at < n) {
        uint32_t next;
        size_t n_next = utf8_decode(s + at, n - at, &next);
        bool joins = next >= 0x300 && width_of(next) == 0;
        if (!joins && cp != ZERO_WIDTH_JOINER) break;
        if (next < 0x20) break;
        at += n_next;
        cp = next;
    }
    return at;
}
