/* The migrations of every service, put into the executable at build time by scripts/embed. */
#ifndef PURSER_ENGINES_SCHEMA_FILES_H
#define PURSER_ENGINES_SCHEMA_FILES_H

#include <stddef.h>

struct schema_file {
    const char *service; /* the folder under src/: "users" */
    const char *engine;  /* "sqlite" or "postgres" */
    int number;          /* 1 for 001_x.sqlite.sql */
    const char *name;    /* "001_x" */
    const char *sql;
    size_t sql_len;
};

/* Sorted by service, engine and number. Static, never freed. */
extern const struct schema_file schema_files[];
extern const size_t schema_file_count;

#endif
