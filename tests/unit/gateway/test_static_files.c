/* The web app's files: what is found, in which form, how long it is kept, and what is left to others. */
#include "gateway/static_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[64];
    struct arena *arena;
    struct static_files *files;
};

static void write_file(const struct fixture *fixture, const char *path, const char *content)
{
    char name[256];
    (void)snprintf(name, sizeof name, "%s%s", fixture->folder, path);
    FILE *stream = fopen(name, "we");
    assert_non_null(stream);
    assert_true(fputs(content, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

static const char *const names[] = {
    "/index.html", "/manifest.json", "/shell/app-Ab3_d-9x.js", "/shell/app-Ab3_d-9x.js.br", "/shell/app-Ab3_d-9x.js.gz",
    "/shell/theme.js", "/shell/lonely.js.gz", "/docs/index.html",
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    (void)snprintf(fixture->folder, sizeof fixture->folder, "/tmp/purser-static-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    char name[256];
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(name, sizeof name, "%s/%s", fixture->folder, i ? "docs" : "shell");
        assert_int_equal(mkdir(name, 0700), 0);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        write_file(fixture, names[i], names[i]);
    fixture->arena = arena_new();
    assert_non_null(fixture->arena);
    struct err err = {0};
    assert_int_equal(static_files_load(fixture->folder, NULL, &fixture->files, &err), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char name[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(name, sizeof name, "%s%s", fixture->folder, names[i]);
        (void)unlink(name);
    }
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(name, sizeof name, "%s/%s", fixture->folder, i ? "docs" : "shell");
        (void)rmdir(name);
    }
    (void)rmdir(fixture->folder);
    arena_free(fixture->arena);
    static_files_unref(fixture->files);
    free(fixture);
    return 0;
}

/* Asks for `path` with up to two headers; names may be NULL. */
static bool ask(struct fixture *fixture, enum http_method method, const char *path, const char *const header[4],
                struct http_response *ret_response)
{
    struct http_request request = {.arena = fixture->arena, .method = method, .path = text_of(path)};
    for (int i = 0; i < 4 && header && header[i]; i += 2)
        http_header_add(fixture->arena, &request.headers, header[i], header[i + 1]);
    *ret_response = (struct http_response){.arena = fixture->arena};
    return static_files_answer(fixture->files, &request, ret_response);
}

static void assert_header(const struct http_response *response, const char *name, const char *want)
{
    struct text got = http_header(&response->headers, name);
    if (!want) {
        assert_null(got.at);
        return;
    }
    assert_true(text_equal(got, text_of(want)));
}

static void test_finds_files_and_pages(void **state)
{
    static const char *const page[] = {"Accept", "application/json, text/html;q=0.9", NULL, NULL};
    static const struct {
        const char *path, *body; /* NULL: left to others */
        bool as_page;
    } cases[] = {
        {"/", "/index.html", false},
        {"/index.html", "/index.html", false},
        {"/docs", "/docs/index.html", false},
        {"/docs/", "/docs/index.html", false},
        {"/shell/theme.js", "/shell/theme.js", false},
        {"/shell/them", NULL, false},
        {"/shell/theme.jsx", NULL, false},
        {"/shell", NULL, false},
        {"/../etc/passwd", NULL, false},
        {"/shell/lonely.js", NULL, false},
        {"/shell/theme.js.br", NULL, false},
        {"/orders/7", NULL, false},
        {"/orders/7", "/index.html", true},
        {"/orders/%zz", "/index.html", true},
        {"/products/tea.green", "/index.html", true},
        {"/products/tea.green", NULL, false},
        {"/api/v1/nothing", NULL, true},
        {"/assets/shell/missing.js", NULL, true},
        {"/openapi.json", NULL, true},
        {"/.well-known/jwks.json", NULL, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_response response;
        bool answered = ask(*state, HTTP_GET, cases[i].path, cases[i].as_page ? page : NULL, &response);
        if (answered != (cases[i].body != NULL))
            fail_msg("%s: answered %d", cases[i].path, answered);
        if (answered)
            assert_true(text_equal(response.body, text_of(cases[i].body)));
        else
            assert_int_equal(response.status, 0);
    }
}

static void test_negotiates_the_form(void **state)
{
    static const struct {
        const char *accept, *coding, *body;
    } cases[] = {
        {NULL, NULL, ""},
        {"identity", NULL, ""},
        {"gzip", "gzip", ".gz"},
        {"gzip, deflate, br", "br", ".br"},
        {"br;q=0, gzip;q=0.5", "gzip", ".gz"},
        {"br;q=0.000, gzip; q=0", NULL, ""},
        {"BR;q=0.1", "br", ".br"},
        {"brx", NULL, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *header[] = {cases[i].accept ? "Accept-Encoding" : NULL, cases[i].accept, NULL, NULL};
        struct http_response response;
        assert_true(ask(*state, HTTP_GET, "/shell/app-Ab3_d-9x.js", header, &response));
        char want[64];
        (void)snprintf(want, sizeof want, "/shell/app-Ab3_d-9x.js%s", cases[i].body);
        assert_true(text_equal(response.body, text_of(want)));
        assert_header(&response, "Content-Encoding", cases[i].coding);
        assert_header(&response, "Vary", "Accept-Encoding");
        assert_header(&response, "Content-Type", "text/javascript; charset=utf-8");
    }
}

static void test_caches_hashed_names_for_ever(void **state)
{
    static const struct {
        const char *path, *cache;
        bool policy;
    } cases[] = {
        {"/shell/app-Ab3_d-9x.js", "public, max-age=31536000, immutable", false},
        {"/shell/theme.js", "no-cache", false},
        {"/manifest.json", "no-cache", false},
        {"/", "no-cache", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_response response;
        assert_true(ask(*state, HTTP_GET, cases[i].path, NULL, &response));
        assert_header(&response, "Cache-Control", cases[i].cache);
        struct text policy = http_header(&response.headers, "Content-Security-Policy");
        assert_int_equal(policy.at != NULL, cases[i].policy);
    }
}

static void test_answers_304_while_it_is_the_same(void **state)
{
    struct http_response first, plain, again;
    static const char *const brotli[] = {"Accept-Encoding", "br", NULL, NULL};
    assert_true(ask(*state, HTTP_GET, "/shell/app-Ab3_d-9x.js", brotli, &first));
    assert_true(ask(*state, HTTP_GET, "/shell/app-Ab3_d-9x.js", NULL, &plain));
    struct text tag = http_header(&first.headers, "ETag");
    assert_false(text_equal(tag, http_header(&plain.headers, "ETag")));
    char list[128];
    (void)snprintf(list, sizeof list, "\"other\", W/%.*s", (int)tag.size, tag.at);
    const char *const header[] = {"Accept-Encoding", "br", "If-None-Match", list};
    assert_true(ask(*state, HTTP_GET, "/shell/app-Ab3_d-9x.js", header, &again));
    assert_int_equal(again.status, 304);
    assert_int_equal(again.body.size, 0);
    assert_true(text_equal(http_header(&again.headers, "ETag"), tag));
    const char *const stale[] = {"If-None-Match", "\"other\"", NULL, NULL};
    assert_true(ask(*state, HTTP_HEAD, "/manifest.json", stale, &again));
    assert_int_equal(again.status, 200);
}

/* A person is shown the app instead of what a program is told; the status stays, and nothing is kept by the browser. */
static void test_refuses_with_a_page(void **state)
{
    static const struct {
        enum http_method method;
        const char *path, *accept;
        bool as_page;
    } cases[] = {
        {HTTP_GET, "/orders/%", "text/html, */*;q=0.8", true}, {HTTP_HEAD, "/orders/%", "text/html", true},
        {HTTP_GET, "/orders/%", "application/json", false},    {HTTP_GET, "/api/v1/orders/%", "text/html", false},
        {HTTP_POST, "/orders/%", "text/html", false},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_request request = {.arena = fixture->arena, .method = cases[i].method, .path = text_of(cases[i].path)};
        struct http_response response = {.arena = fixture->arena};
        http_header_add(fixture->arena, &request.headers, "Accept", cases[i].accept);
        respond_bytes(&response, 400, "application/problem+json", text_of("{}"));
        static_files_refuse(fixture->files, &request, &response);
        assert_int_equal(response.status, 400);
        assert_true(text_equal(response.body, text_of(cases[i].as_page ? "/index.html" : "{}")));
        assert_header(&response, "Content-Type", cases[i].as_page ? "text/html; charset=utf-8" : "application/problem+json");
        assert_header(&response, "ETag", NULL);
        assert_int_equal(http_header(&response.headers, "Content-Security-Policy").at != NULL, cases[i].as_page);
        static_files_refuse(NULL, &request, &response);
        assert_int_equal(response.status, 400);
    }
}

static void test_leaves_other_methods_alone(void **state)
{
    struct http_response response;
    assert_false(ask(*state, HTTP_POST, "/", NULL, &response));
    assert_false(ask(*state, HTTP_OPTIONS, "/", NULL, &response));
    struct http_request request = {.method = HTTP_GET, .path = text_of("/")};
    assert_false(static_files_answer(NULL, &request, &response));
}

static void test_refuses_what_is_no_app(void **state)
{
    struct fixture *fixture = *state;
    struct static_files *files = NULL;
    struct err err = {0};
    char empty[128];
    (void)snprintf(empty, sizeof empty, "%s/shell", fixture->folder);
    assert_int_equal(static_files_load(empty, NULL, &files, &err), -ENOENT);
    assert_int_equal(static_files_load("/nowhere/at/all", NULL, &files, &err), -ENOENT);
    assert_null(files);
}

/* A newer set has what is new, and keeps what pages of the former one ask for: once, and only what is named by its content. */
static void test_takes_over_what_open_pages_need(void **state)
{
    struct fixture *fixture = *state;
    struct static_files *former = fixture->files;
    struct http_response on_its_way, response;
    struct err err = {0};
    char name[256];
    assert_true(ask(fixture, HTTP_GET, "/manifest.json", NULL, &on_its_way));
    write_file(fixture, "/manifest.json", "new");
    for (size_t i = 2; i < 6; i++) {
        (void)snprintf(name, sizeof name, "%s%s", fixture->folder, names[i]);
        assert_int_equal(unlink(name), 0);
    }
    assert_int_equal(static_files_load(fixture->folder, former, &fixture->files, &err), 0);
    static_files_unref(former);
    assert_true(text_equal(on_its_way.body, text_of("/manifest.json")));
    assert_true(ask(fixture, HTTP_GET, "/manifest.json", NULL, &response));
    assert_true(text_equal(response.body, text_of("new")));
    static const char *const brotli[] = {"Accept-Encoding", "br", NULL, NULL};
    assert_true(ask(fixture, HTTP_GET, "/shell/app-Ab3_d-9x.js", brotli, &response));
    assert_true(text_equal(response.body, text_of("/shell/app-Ab3_d-9x.js.br")));
    assert_false(ask(fixture, HTTP_GET, "/shell/theme.js", NULL, &response));
    former = fixture->files;
    assert_int_equal(static_files_load(fixture->folder, former, &fixture->files, &err), 0);
    static_files_unref(former);
    assert_false(ask(fixture, HTTP_GET, "/shell/app-Ab3_d-9x.js", NULL, &response));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_finds_files_and_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_negotiates_the_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_caches_hashed_names_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_answers_304_while_it_is_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_with_a_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_leaves_other_methods_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_takes_over_what_open_pages_need, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_what_is_no_app, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
