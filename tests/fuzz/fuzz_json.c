/* JSON bodies: they are accepted and refused as jansson's own parser does, with equal trees; and what is accepted prints, parses again, and is the
 * same. Three differences are meant: ours stops at a depth, makes a real of an integer that is too long, and sees a NUL behind a number. What is refused
 * for a NUL in a string alone is what jansson takes if it is told to, or would but for that NUL being in a name. */
#include "base/json.h"
#include "base/json_members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void compare_with_jansson(struct text source, json_t *tree, const struct err *err)
{
    json_error_t error = {0};
    json_t *theirs =
        json_loadb(source.size ? source.at : "", source.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    bool is_formed = tree || err->code == -EILSEQ;
    bool differs = tree && theirs ? !json_equal(tree, theirs) : is_formed != (theirs != NULL);
    bool has_nul = memchr(source.at, 0, source.size) != NULL;
    bool meant = theirs ? has_nul || strstr(err->message, "nested too deep")
                        : json_error_code(&error) == json_error_numeric_overflow ||
                              (!tree && json_error_code(&error) == json_error_null_byte_in_key);
    if (differs && !meant)
        abort();
    json_decref(theirs);
}

/* A NUL alone is told apart by all three of ours. */
static void compare_refusals(struct arena *arena, struct text source, int parsed)
{
    struct json_member members[] = {{"a"}, {"b"}};
    size_t blanks = 0;
    while (blanks < source.size && strchr(" \n\r\t", source.at[blanks]) && source.at[blanks])
        blanks++;
    bool is_object = blanks < source.size && source.at[blanks] == '{';
    if (parsed != -EINVAL && json_check(arena, source, NULL) != parsed)
        abort();
    if (parsed == -EILSEQ && json_members(arena, source, members, 2, NULL) != (is_object ? -EILSEQ : -EINVAL))
        abort();
    if (parsed == -EILSEQ && !memmem(source.at, source.size, "\\u0000", 6))
        abort();
}

static void print_and_parse_again(struct arena *arena, json_t *tree)
{
    json_t *again;
    struct err err;
    size_t size;
    char *printed = json_print(arena, tree, &size);
    if (json_parse(arena, (struct text){printed, size}, &again, &err) || !json_equal(tree, again))
        abort();
}

/* What members says of an object is what its tree says. It takes all that has a tree, and more: a name twice that nobody asks for, and numbers that are
 * too large. */
static void compare_members(struct arena *arena, struct text source, json_t *tree)
{
    struct json_member members[] = {{"a"}, {"b"}};
    bool taken = json_members(arena, source, members, 2, NULL) == 0;
    if (!tree)
        return;
    if (taken != json_is_object(tree))
        abort();
    for (unsigned i = 0; taken && i < 2; i++) {
        const json_t *value = json_object_get(tree, members[i].name);
        const char *string = json_string_value(value);
        if (!value != !members[i].raw.at || !string != !members[i].string || (string && strcmp(string, members[i].string) != 0) ||
            json_is_integer(value) != members[i].is_integer || json_integer_value(value) != members[i].integer)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text source = {(const char *)data, size};
    struct arena *arena = arena_new();
    struct err err = {0};
    json_t *tree = NULL;
    if (!arena)
        return 0;
    int parsed = json_parse(arena, source, &tree, &err);
    bool taken = parsed == 0;
    compare_refusals(arena, source, parsed);
    compare_members(arena, source, tree);
    compare_with_jansson(source, taken ? tree : NULL, &err);
    if (taken)
        print_and_parse_again(arena, tree);
    arena_free(arena);
    return 0;
}
