/*
 * Serves the web app from memory: the best form of a file that the client takes. Files whose name carries a hash of their content are cached
 * for ever, the rest is asked for again each time and answered 304 while it is the same. A set of files never changes: what is new comes
 * as another set. Answers read no disk.
 */
#include "gateway/static_files_set.h"

#include <stdlib.h>

#define NAME_HASH_LENGTH 8

#define CACHE_FOR_EVER "public, max-age=31536000, immutable"
#define CACHE_ASK_AGAIN "no-cache"

/* Scripts from here alone. Styles may stand in attributes: the component kit places its menus with them. */
#define PAGE_POLICY                                                                                                        \
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "     \
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

static const char *const codings[FORM_COUNT] = {[FORM_GZIP] = "gzip", [FORM_BROTLI] = "br"};

struct static_files *static_files_ref(struct static_files *files)
{
    if (files)
        __atomic_add_fetch(&files->references, 1, __ATOMIC_RELAXED);
    return files;
}

void static_files_unref(struct static_files *files)
{
    if (!files || __atomic_sub_fetch(&files->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < files->count; i++) {
        for (enum form form = 0; form < FORM_COUNT; form++)
            free((char *)files->list[i].bodies[form].at);
        free(files->list[i].path);
    }
    free(files->list);
    free(files);
}

static const struct file *find(const struct static_files *files, struct text path)
{
    size_t low = 0, high = files->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *name = files->list[middle].path;
        int order = strncmp(path.at, name, path.size);
        if (order == 0 && name[path.size] == '\0')
            return &files->list[middle];
        if (order < 0 || (order == 0 && name[path.size] != '\0'))
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* Whether a browser asks for a page of the app by its address: any but those that mean something else (as in deploy/nginx). */
static bool asks_for_page(const struct http_request *request)
{
    static const char *const others[] = {"/api/", "/assets/", "/health/", "/.well-known/", "/openapi.json"};
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        if (text_starts(request->path, text_of(others[i])))
            return false;
    struct text rest = http_header(&request->headers, "Accept"), part;
    while (text_split(&rest, ',', &part))
        if (text_starts(text_trim(part), text_of("text/html")))
            return true;
    return false;
}

static const struct file *choose_file(const struct static_files *files, const struct http_request *request)
{
    struct text path = request->path;
    if (text_equal(path, text_of("/")))
        return find(files, text_of("/index.html"));
    if (text_equal(path, text_of("/docs")) || text_equal(path, text_of("/docs/")))
        return find(files, text_of("/docs/index.html"));
    const struct file *file = find(files, path);
    if (!file && asks_for_page(request))
        file = find(files, text_of("/index.html"));
    return file;
}

/* Whether `part` is the coding, not refused with q=0 (RFC 9110 section 12.5.3). */
static bool accepts(struct text part, const char *coding)
{
    struct text name, parameter;
    if (!text_split(&part, ';', &name) || !text_equal_nocase(text_trim(name), text_of(coding)))
        return false;
    while (text_split(&part, ';', &parameter)) {
        struct text q = text_trim(parameter);
        if (!text_starts(q, text_of("q=0")) && !text_starts(q, text_of("Q=0")))
            continue;
        bool zero = true;
        for (size_t i = 2; i < q.size; i++)
            zero = zero && (q.at[i] == '0' || q.at[i] == '.');
        if (zero)
            return false;
    }
    return true;
}

static enum form choose_form(const struct file *file, const struct http_request *request)
{
    enum form best = FORM_PLAIN;
    struct text rest = http_header(&request->headers, "Accept-Encoding"), part;
    while (text_split(&rest, ',', &part))
        for (enum form form = FORM_GZIP; form < FORM_COUNT; form++)
            if (form > best && file->bodies[form].at && accepts(part, codings[form]))
                best = form;
    return best;
}

/* If-None-Match compares weakly (RFC 9110 section 13.1.2). */
static bool is_unchanged(const struct http_request *request, const char *etag)
{
    struct text rest = http_header(&request->headers, "If-None-Match"), part;
    while (text_split(&rest, ',', &part)) {
        struct text tag = text_trim(part);
        if (text_starts(tag, text_of("W/")))
            tag = (struct text){tag.at + 2, tag.size - 2};
        if (text_equal(tag, text_of(etag)) || text_equal(tag, text_of("*")))
            return true;
    }
    return false;
}

static void answer_is_out(void *files)
{
    static_files_unref(files);
}

/* The file in one of its forms, under a status; 304 is all that is said of it. */
static void send_file(struct static_files *files, const struct file *file, enum form form, int status, struct http_response *response)
{
    arena_defer(response->arena, answer_is_out, static_files_ref(files));
    if (status == 304) {
        respond_empty(response, status);
    } else {
        respond_bytes(response, status, file->content_type, file->bodies[form]);
        if (codings[form])
            http_header_set(response->arena, &response->headers, "Content-Encoding", codings[form]);
    }
    http_header_set(response->arena, &response->headers, "Vary", "Accept-Encoding");
    if (file->page)
        http_header_set(response->arena, &response->headers, "Content-Security-Policy", PAGE_POLICY);
}

static bool is_read(const struct http_request *request)
{
    return request->method == HTTP_GET || request->method == HTTP_HEAD;
}

bool static_files_answer(struct static_files *files, const struct http_request *request, struct http_response *response)
{
    const struct file *file = files && is_read(request) ? choose_file(files, request) : NULL;
    if (!file)
        return false;
    enum form form = choose_form(file, request);
    send_file(files, file, form, is_unchanged(request, file->etags[form]) ? 304 : 200, response);
    http_header_set(response->arena, &response->headers, "ETag", file->etags[form]);
    http_header_set(response->arena, &response->headers, "Cache-Control", file->hashed ? CACHE_FOR_EVER : CACHE_ASK_AGAIN);
    return true;
}

void static_files_refuse(struct static_files *files, const struct http_request *request, struct http_response *response)
{
    const struct file *page = files && is_read(request) && asks_for_page(request) ? find(files, text_of("/index.html")) : NULL;
    if (page)
        send_file(files, page, choose_form(page, request), response->status, response);
}
