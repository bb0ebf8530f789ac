/* pretok_find.h - the finders that pre-tokenizer passes are made of, private to pretok*.c.
 * Layer: token. */
#ifndef LORY_TOKEN_PRETOK_FIND_H
#define LORY_TOKEN_PRETOK_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The piece of text that a pass works on, with what its finder remembers of the run of white
 * space or digits it is in: scanning a long run again for every piece would be quadratic. */
typedef struct {
    const char *s;
    size_t n;
    const bool *starts; /* [256] bytes that a match of this pass can start with, its lead apart */
    size_t space_end;   /* end of the white space last scanned */
    size_t newline_end; /* behind the last \r or \n in it; 0 = none */
    size_t last_space;  /* start of its last character */
    size_t digits_end;  /* end of the digits last scanned */
    size_t n_digits;    /* characters from the finder's position to there */
} pretok_text;

/* Finds the first match at or after `from`: true with [*start, *end), not empty. */
typedef bool (*pretok_finder)(pretok_text *t, size_t from, const void *rule, size_t *start,
                              size_t *end);

struct pretok_pass {
    pretok_finder find;
    const void *rule; /* a words_rule, run_rule, group_rule as the finder wants */
};

typedef struct {
    uint32_t first, last;
} char_range;

/* A set of characters: by Unicode class, and by ranges, ascending and apart. */
typedef struct {
    uint32_t bits; /* of unicode_bits */
    const char_range *ranges; /* [n_ranges] */
    size_t n_ranges;
    bool negated;
} char_set;

enum { LEAD_NONE, LEAD_BLANK, LEAD_SPACE }; /* may begin with ' ', with any white space */

/* find_run: lead, then at least n_min and at most n_max (0 = any number) characters of one of the
 * sets, the first that fits. */
typedef struct {
    const char_set *sets; /* [n_sets] */
    int n_sets;
    int lead;
    int n_min, n_max;
} run_rule;

/* find_groups, find_cuts: runs of digits cut into threes from the right. find_groups matches each
 * group and what is left over at the front, with at_word_end only in runs that end at a word
 * boundary; find_cuts just cuts the text before each three. */
typedef struct {
    uint32_t bits; /* what a digit is */
    bool at_word_end;
} group_rule;

enum { CONTRACTION_NONE, CONTRACTION_LOWER, CONTRACTION_ANY_CASE };
enum { WORD_LETTERS, WORD_CASED, WORD_PHRASE };

/* find_words: the alternatives of the GPT-2 regular expression and its descendants, in order:
 * contraction, word, number, symbols, white space. */
typedef struct {
    int contraction;  /* 's 't 're 've 'm 'll 'd as a word of its own */
    bool punct_word;  /* an ASCII punctuation character and ASCII letters */
    bool han_word;    /* a run of Han characters, which no other word then contains */
    int word;         /* WORD_CASED: upper* lower+ or upper+ lower*;
                               WORD_PHRASE: words of one letter joined by single blanks too */
    uint32_t letters; /* WORD_LETTERS: what words are made of */
    bool suffix;      /* a contraction may end the word */
    bool lead_any;    /* one character that is no \r, \n or of lead_not may begin the word
                               (else a blank may) */
    uint32_t lead_not;
    int max_digits;       /* of one number; 0 = any, -1 = numbers are no words */
    bool blank_number;    /* a blank may begin a number */
    uint32_t symbols_not; /* symbols are the characters of none of these classes */
    const char *tail;     /* these may follow the symbols */
    int max_tail;         /* so many of them; 0 = any */
    bool newlines;        /* white space up to its last newline is a piece */
    bool space_powers;    /* white space is cut into 512, 256 ... 4, 2, 1 */
} words_rule;

/* Whether a match of the pass can start with this byte, not counting a lead. */
bool pass_may_start(const struct pretok_pass *pass, unsigned char c);

bool find_words(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end);
bool find_run(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end);
bool find_groups(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end);
bool find_cuts(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end);
/* Newlines and what follows them up to the next: it cuts the text before newlines. */
bool find_lines(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end);
bool find_space_at_end(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end);
/* Chameleon's: "<sentinel:[0-9]+>", "IMGIMG[A-I]{1,4}Z" and "[\t\n]|    |  ". */
bool find_sentinel(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end);
bool find_image(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end);
bool find_indent(pretok_text *t, size_t from, const void *rule, size_t *start, size_t *end);

#endif
