/* Errors with words: formatting into the fixed room of struct err, cut where it does not fit. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *format, ...)
{
    if (!err)
        return code;
    char message[sizeof err->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    /* By way of a copy: the arguments may point into err itself. */
    memcpy(err->message, message, sizeof message);
    err->code = code;
    return code;
}

int err_prefix(struct err *err, const char *format, ...)
{
    if (!err)
        return 0;
    char message[sizeof err->message];
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    size_t room = sizeof message - 1, at = used < 0 ? 0 : (size_t)used > room ? room : (size_t)used;
    const char *parts[] = {": ", err->message};
    for (int i = 0; i < 2; i++) {
        size_t size = strnlen(parts[i], room - at);
        memcpy(message + at, parts[i], size);
        at += size;
    }
    message[at] = 0;
    memcpy(err->message, message, sizeof message);
    return err->code;
}
