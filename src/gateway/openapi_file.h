/* api/openapi.yaml as JSON, put into the executable at build time. */
#ifndef PURSER_GATEWAY_OPENAPI_FILE_H
#define PURSER_GATEWAY_OPENAPI_FILE_H

#include <stddef.h>

extern const char openapi_json[];
extern const size_t openapi_json_size;

#endif
