/* digit.h - what a digit is worth, in any base up to 36.
 * Layer: text. */
#ifndef LORY_TEXT_DIGIT_H
#define LORY_TEXT_DIGIT_H

/* 0 to 9, then the letters of either case from 10 on; NO_DIGIT, which no base has, for the rest. */
enum { NO_DIGIT = 99 };
static inline int digit_value(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'z') return c - 'a' + 10;
    return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : NO_DIGIT;
}

#endif
