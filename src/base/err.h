/* An error with words: for failures where a number alone would not help whoever reads it. */
#ifndef PURSER_BASE_ERR_H
#define PURSER_BASE_ERR_H

struct err {
    int code; /* negative errno */
    char message[256];
};

/* Fills `err` (may be NULL) with `code` and a formatted message, cut to fit. Returns `code`. */
int err_set(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the message that is already there. Returns err's code. */
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
