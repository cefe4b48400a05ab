/* What JSON is made of (RFC 8259), read one after the other. For the files of this folder. */
#ifndef PURSER_BASE_JSON_SCAN_H
#define PURSER_BASE_JSON_SCAN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

struct json_scan {
    const char *begin, *at, *end;
    struct arena *arena; /* for strings with escapes, and for long numbers */
    unsigned depth;
    const char *problem; /* of what was refused */
    const char *nul;     /* behind the first \u0000; NULL: there is none */
    int error;           /* what refuses the whole: -EINVAL where it is 0 */
};

struct json_scan json_scan_of(struct arena *arena, struct text source);

/* False, always; the problem is remembered. */
bool json_scan_fail(struct json_scan *scan, const char *problem);
/* What was refused last, and where, in words: -EINVAL, or -EILSEQ where the only thing wrong is a NUL. */
int json_scan_refuse(const struct json_scan *scan, struct err *err);

static inline void json_skip_blanks(struct json_scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

/* Takes the byte if it is the next one. */
static inline bool json_take(struct json_scan *scan, char byte)
{
    if (scan->at == scan->end || *scan->at != byte)
        return false;
    scan->at++;
    return true;
}

/* Whether a container has one more element or member: passes over the comma before it. False at the closing bracket, which is taken, and where
 * there is neither: that is a problem. */
bool json_scan_more(struct json_scan *scan, char closing, bool first);
/* A member's name and the colon behind it. */
bool json_scan_name(struct json_scan *scan, struct text *ret_name);
/* Whether nothing follows, and no string had a NUL; else that is a problem. */
bool json_scan_end(struct json_scan *scan);
/* The opening quote is next. The bytes are of the source, or of the arena where there are escapes; valid UTF-8. A NUL is among them only where
 * json_scan_end will refuse the whole. */
bool json_scan_string(struct json_scan *scan, struct text *ret_string);
/* Passes over it. ret_is_whole: it has neither fraction nor exponent. */
bool json_scan_number(struct json_scan *scan, bool *ret_is_whole);
/* A whole number that was passed over; false where it takes more than 64 bits. */
bool json_scan_integer(struct text number, int64_t *ret_value);
/* true, false or null: its first letter; or NUL, and it has failed. */
char json_scan_word(struct json_scan *scan);

#endif
