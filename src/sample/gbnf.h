/* gbnf.h - reads a grammar in GBNF, the notation of llama.cpp (grammars/README.md there).
 * Layer: sample.
 *
 *     root  ::= "[" value ("," value)* "]"    # rules; root is where a text begins
 *     value ::= [0-9]+ | "\"" [^"\\]{0,20} "\"" | . | root
 *
 * "..." is a text, [...] one character of a class ([^...]: none of it), . any character; escapes
 * in both are \n \r \t \\ \" \[ \] \xNN \uNNNN \UNNNNNNNN (code points). <[1000]> is the token of
 * the vocabulary with that number, <think> the one that this text is, and ! before either any token
 * but it. ( ) groups, | separates alternatives, and * + ? {m} {m,} {,n} {m,n} repeat what comes
 * before. A rule goes on behind a line's end inside ( ), and before and after |. Names are letters,
 * digits, - and _. Left recursion is fine. */
#ifndef LORY_SAMPLE_GBNF_H
#define LORY_SAMPLE_GBNF_H

#include "sample/syntax.h"

enum {
    GBNF_MAX_BYTES = 8 << 20,
    GBNF_MAX_DEPTH = 200, /* of ( ); with the next, what follows expressions is bounded in stack */
    GBNF_MAX_TIMES = 8,   /* repetitions behind one item, as in "a"?* */
};

/* Fills the zeroed *s; free it with syntax_free, also on failure. *err is then
 * "NAME: line L, column C: what is wrong" (columns in characters), LORY_E_FORMAT or
 * LORY_E_MEMORY. A byte order mark before the text is left out. Linear in n. */
bool gbnf_read(syntax *s, const char *text, size_t n, const char *name, lory_err *err);

#endif
