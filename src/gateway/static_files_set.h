/* A set of files as static_files_load.c makes it and static_files.c serves it. */
#ifndef PURSER_GATEWAY_STATIC_FILES_SET_H
#define PURSER_GATEWAY_STATIC_FILES_SET_H

#include "gateway/static_files.h"

#define STATIC_ETAG_MAX 32

/* Ascending in preference. */
enum form { FORM_PLAIN, FORM_GZIP, FORM_BROTLI, FORM_COUNT };

struct file {
    char *path; /* "/shell/index-Ab12Cd34.js", without the suffix of a compressed form */
    const char *content_type;
    bool hashed, page;
    bool former; /* of the set before: served, not handed on */
    struct text bodies[FORM_COUNT]; /* at == NULL: there is no such form */
    char etags[FORM_COUNT][STATIC_ETAG_MAX];
};

struct static_files {
    struct file *list; /* sorted by path */
    size_t count;
    unsigned references; /* of whoever serves it, and of answers on their way */
};

#endif
