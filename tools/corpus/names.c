/* names.c - see names.h. Names that serve both (Sam, Alex) or animals (Spot) are left out. */
#include "names.h"
#include <string.h>

const char *const names_of[N_SEXES][64] = {
    [GIRLS] = { "Lily", "Sue",   "Lucy",  "Mia",    "Amy",   "Jane",  "Sally",  "Sarah",  "Daisy",
                "Mary", "Anna",  "Molly", "Emma",   "Grace", "Ella",  "Bella",  "Emily",  "Polly",
                "Lisa", "Lola",  "Alice", "Sophie", "Rosie", "Jenny", "Kate",   "Rachel", "Julie",
                "Luna", "Penny", "Cindy", "Annie",  "Jill",  "Susie", "Claire", "Gina",   "Ruby",
                "Mimi", "Ellie", "Chloe", "Rose",   "Betty", "Tina",  "Zara",   "Poppy",  "Sara",
                "Nora", "Rita",  "Lila",  "Becky",  "Maya",  "Clara", "Hannah", "Zoe",    NULL },
    [BOYS] = { "Tim",   "Tom",   "Max",  "Timmy",  "Jack",    "Bob",   "John",  "Ben",   "Joe",
               "Billy", "Benny", "Andy", "Leo",    "Bobby",   "Bill",  "Pete",  "Jake",  "Fred",
               "Gary",  "Joey",  "Mark", "George", "Charlie", "Jimmy", "Henry", "Jerry", "Oliver",
               "Harry", "Danny", "Jim",  "James",  "Thomas",  "Frank", "Ralph", "Todd",  "Josh",
               "Peter", "David", "Paul", "Luke",   "Adam",    "Nick",  "Noah",  "Eddie", NULL },
};

size_t names_count(sex x)
{
    size_t n = 0;
    while (names_of[x][n]) n++;
    return n;
}

int name_find(const char *s, size_t n, sex *whose)
{
    if (n == 0 || *s < 'A' || *s > 'Z') return -1; /* most words */
    for (int x = 0; x < N_SEXES; x++)
        for (int i = 0; names_of[x][i]; i++)
            if (strlen(names_of[x][i]) == n && memcmp(names_of[x][i], s, n) == 0) {
                *whose = (sex)x;
                return i;
            }
    return -1;
}
