/* jinja_time.c - see jinja_time.h. Days are counted by the proleptic Gregorian calendar. */
#include "chat/jinja_time.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    int64_t year;
    int month, day, hour, minute, second; /* month and day from 1 */
    int week_day, year_day;               /* from 0: Sunday, the first of January */
    int64_t now;
} moment;

static const char *const days[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                    "Thursday", "Friday", "Saturday" };
static const char *const months[] = { "January",   "February", "March",    "April",
                                      "May",       "June",     "July",     "August",
                                      "September", "October",  "November", "December" };

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* From days since 1970: years begin in March, so that the leap day is their last. */
static moment split(int64_t now)
{
    moment m = { .now = now };
    int64_t day = floor_div(now, 86400), second = now - day * 86400;
    int64_t shifted = day + 719468, era = floor_div(shifted, 146097);
    int64_t doe = shifted - era * 146097; /* day of the era of 400 years */
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t from_march = (5 * doy + 2) / 153;
    m.day = (int)(doy - (153 * from_march + 2) / 5) + 1;
    m.month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    m.year = yoe + era * 400 + (m.month <= 2);
    m.hour = (int)(second / 3600);
    m.minute = (int)(second / 60 % 60);
    m.second = (int)(second % 60);
    m.week_day = (int)(((day + 4) % 7 + 7) % 7);
    static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    m.year_day = before[m.month - 1] + m.day - 1 + (m.month > 2 && is_leap(m.year));
    return m;
}

/* ISO 8601: the week belongs to the year that has its Thursday. */
static int iso_week(const moment *m, int64_t *year)
{
    int monday = (m->week_day + 6) % 7, week = (m->year_day - monday + 10) / 7;
    *year = m->year;
    if (week < 1) {
        --*year;
        int last = m->year_day + 365 + is_leap(*year);
        return (last - monday + 10) / 7;
    }
    if (week == 53 && m->year_day - monday + 3 >= 365 + is_leap(m->year)) {
        ++*year;
        return 1;
    }
    return week;
}

typedef struct {
    char pad; /* what fills a number: '0', ' ', or 0 = nothing */
    bool is_upper;
} flags;

static void put_number(char *out, size_t cap, int64_t v, int width, char pad, flags f)
{
    if (f.pad) pad = f.pad == '-' ? 0 : f.pad;
    if (!pad) width = 0;
    snprintf(out, cap, pad == '0' ? "%0*" PRId64 : "%*" PRId64, width, v);
}

/* Directives that stand for others. */
static const char *expand(char c)
{
    switch (c) {
    case 'c': return "%a %b %e %H:%M:%S %Y";
    case 'x':
    case 'D': return "%m/%d/%y";
    case 'X':
    case 'T': return "%H:%M:%S";
    case 'F': return "%Y-%m-%d";
    case 'R': return "%H:%M";
    case 'r': return "%I:%M:%S %p";
    default: return NULL;
    }
}

static bool put_word(char c, const moment *m, char *out, size_t cap)
{
    const char *text;
    switch (c) {
    case 'a': snprintf(out, cap, "%.3s", days[m->week_day]); return true;
    case 'b':
    case 'h': snprintf(out, cap, "%.3s", months[m->month - 1]); return true;
    case 'A': text = days[m->week_day]; break;
    case 'B': text = months[m->month - 1]; break;
    case 'p': text = m->hour < 12 ? "AM" : "PM"; break;
    case 'P': text = m->hour < 12 ? "am" : "pm"; break;
    case 'f': text = "000000"; break;
    case 'n': text = "\n"; break;
    case 't': text = "\t"; break;
    case '%': text = "%"; break;
    case 'z':
    case 'Z': text = ""; break; /* Python's now() has no time zone */
    default: return false;
    }
    snprintf(out, cap, "%s", text);
    return true;
}

static bool put_count(char c, const moment *m, flags f, char *out, size_t cap)
{
    int hour12 = m->hour % 12 ? m->hour % 12 : 12;
    int64_t iso_year;
    int week = iso_week(m, &iso_year);
    switch (c) {
    case 'd': put_number(out, cap, m->day, 2, '0', f); return true;
    case 'e': put_number(out, cap, m->day, 2, ' ', f); return true;
    case 'H': put_number(out, cap, m->hour, 2, '0', f); return true;
    case 'k': put_number(out, cap, m->hour, 2, ' ', f); return true;
    case 'I': put_number(out, cap, hour12, 2, '0', f); return true;
    case 'l': put_number(out, cap, hour12, 2, ' ', f); return true;
    case 'j': put_number(out, cap, m->year_day + 1, 3, '0', f); return true;
    case 'm': put_number(out, cap, m->month, 2, '0', f); return true;
    case 'M': put_number(out, cap, m->minute, 2, '0', f); return true;
    case 'S': put_number(out, cap, m->second, 2, '0', f); return true;
    case 's': put_number(out, cap, m->now, 0, 0, f); return true;
    case 'u': put_number(out, cap, m->week_day ? m->week_day : 7, 1, '0', f); return true;
    case 'w': put_number(out, cap, m->week_day, 1, '0', f); return true;
    case 'U': put_number(out, cap, (m->year_day + 7 - m->week_day) / 7, 2, '0', f); return true;
    case 'W':
        put_number(out, cap, (m->year_day + 7 - (m->week_day + 6) % 7) / 7, 2, '0', f);
        return true;
    case 'V': put_number(out, cap, week, 2, '0', f); return true;
    case 'G': put_number(out, cap, iso_year, 1, '0', f); return true;
    case 'g': put_number(out, cap, (iso_year % 100 + 100) % 100, 2, '0', f); return true;
    case 'y': put_number(out, cap, (m->year % 100 + 100) % 100, 2, '0', f); return true;
    case 'Y': put_number(out, cap, m->year, 1, '0', f); return true;
    case 'C': put_number(out, cap, floor_div(m->year, 100), 2, '0', f); return true;
    default: return false;
    }
}

/* *is_known: whether there is such a directive. %P is in small letters whatever the flags say. */
static bool put_directive(jrun *r, jtext *t, const moment *m, char c, flags f, bool *is_known)
{
    char text[64];
    flags inner = { .is_upper = f.is_upper };
    const char *more = expand(c);
    *is_known = true;
    for (; more && *more; more++) {
        bool is_directive = *more == '%';
        more += is_directive;
        if (is_directive ? !put_directive(r, t, m, *more, inner, is_known)
                         : !jtext_put(r, t, more, 1, false))
            return false;
    }
    if (more) return true;
    *is_known = put_word(c, m, text, sizeof text) || put_count(c, m, f, text, sizeof text);
    if (!*is_known) return true;
    for (char *p = text; f.is_upper && c != 'P' && *p; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
    return jtext_puts(r, t, text);
}

bool jtime_format(jrun *r, jtext *t, int64_t now, const jstr *format)
{
    moment m = split(now);
    for (size_t i = 0; i < format->n; i++) {
        if (format->s[i] != '%') {
            if (!jtext_put_part(r, t, format, i, i + 1)) return false;
            continue;
        }
        flags f = { 0 };
        size_t start = i;
        bool is_known = false; /* what is no directive stays as it is */
        for (i++; i < format->n && memchr("-_0^", format->s[i], 4); i++) {
            char c = format->s[i];
            if (c == '^')
                f.is_upper = true;
            else
                f.pad = c == '_' ? ' ' : c;
        }
        size_t end = i < format->n ? i + 1 : i;
        if (i < format->n && !put_directive(r, t, &m, format->s[i], f, &is_known)) return false;
        if (!is_known && !jtext_put_part(r, t, format, start, end)) return false;
    }
    return true;
}
