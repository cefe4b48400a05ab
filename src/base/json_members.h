/*
 * A few members of an object, read where they stand: for messages, of which nobody wants a tree. As strict as json_parse but for two things: a name
 * that nobody asked for may be there twice, and a number that is passed over may be of any size.
 */
#ifndef PURSER_BASE_JSON_MEMBERS_H
#define PURSER_BASE_JSON_MEMBERS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* One that is looked for by its name, and what is there; all of it 0 where it is absent. */
struct json_member {
    const char *name;
    struct text raw;    /* its value as it stands in the source */
    const char *string; /* of a string, in the arena; else NULL */
    int64_t integer;
    bool is_integer; /* of 64 bits */
};

/* 0, or with words -EINVAL: `source` is no JSON, or no object, or has one of the names twice; or -EILSEQ, as json_parse. */
int json_members(struct arena *arena, struct text source, struct json_member *members, unsigned count, struct err *err);
/* The same of what is known to be JSON, as an object in one that was read is: looks no further once it has them all. */
int json_members_known(struct arena *arena, struct text source, struct json_member *members, unsigned count);

/* Whether that is one value of any kind, as json_parse takes it but for names that are there twice: 0, or -EINVAL or -EILSEQ with words. */
int json_check(struct arena *arena, struct text source, struct err *err);

/* One string of such an object; NULL where it is absent or something else. */
const char *json_member_string(struct arena *arena, struct text source, const char *name);

#endif
