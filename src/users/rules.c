/* Decisions of the user service. */
#include "users/rules.h"

#define LOCAL_MAX 64
#define LABEL_MAX 63
#define FREE_FAILURES 4
#define DELAY_FIRST_MS 100
#define DELAY_MAX_MS 2000
#define KEY_MARGIN_MS 60000

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Atoms of RFC 5322's atext with a dot between them (RFC 5321's Dot-string). */
static bool are_atoms(struct text local)
{
    struct text atom;
    while (text_split(&local, '.', &atom)) {
        for (size_t i = 0; i < atom.size; i++)
            if (!is_alphanumeric(atom.at[i]) && (!atom.at[i] || !strchr("!#$%&'*+/=?^_`{|}~-", atom.at[i])))
                return false;
        if (!atom.size)
            return false;
    }
    return true;
}

/* What stands between the quotes of RFC 5321's Quoted-string, without the backslashes, into `ret_plain`; false: it is none. */
static bool unquote(struct text local, char ret_plain[LOCAL_MAX], size_t *ret_size)
{
    size_t size = 0;
    if (local.size < 2 || local.size > LOCAL_MAX || local.at[0] != '"' || local.at[local.size - 1] != '"')
        return false;
    for (size_t i = 1; i < local.size - 1; i++) {
        bool is_pair = local.at[i] == '\\';
        if (local.at[i] == '"' || (is_pair && ++i == local.size - 1) || local.at[i] < ' ' || local.at[i] > '~')
            return false;
        ret_plain[size++] = local.at[i];
    }
    *ret_size = size;
    return true;
}

/* Labels of letters, digits and hyphens, at least two. */
static bool domain_is_valid(struct text domain)
{
    struct text label;
    unsigned labels = 0;
    while (text_split(&domain, '.', &label)) {
        if (!label.size || label.size > LABEL_MAX || label.at[0] == '-' || label.at[label.size - 1] == '-')
            return false;
        for (size_t i = 0; i < label.size; i++)
            if (!is_alphanumeric(label.at[i]) && label.at[i] != '-')
                return false;
        labels++;
    }
    return labels >= 2;
}

bool email_is_valid(const char *email)
{
    const char *at = strrchr(email, '@');
    size_t size = strlen(email);
    char plain[LOCAL_MAX];
    size_t plain_size;
    if (!at || at - email > LOCAL_MAX || size > EMAIL_MAX)
        return false;
    struct text local = {email, (size_t)(at - email)};
    return (are_atoms(local) || unquote(local, plain, &plain_size)) && domain_is_valid(text_of(at + 1));
}

/* In place, since it never grows. RFC 5321 section 4.1.2: quotes and backslashes that need not be there are no other address. */
static void drop_needless_quotes(char *email)
{
    char plain[LOCAL_MAX], *at = strrchr(email, '@'), *out = email;
    size_t size;
    if (!at || !unquote((struct text){email, (size_t)(at - email)}, plain, &size))
        return;
    bool bare = are_atoms((struct text){plain, size});
    if (!bare)
        *out++ = '"';
    for (size_t i = 0; i < size; i++) {
        if (!bare && (plain[i] == '"' || plain[i] == '\\'))
            *out++ = '\\';
        *out++ = plain[i];
    }
    if (!bare)
        *out++ = '"';
    memmove(out, at, strlen(at) + 1);
}

char *email_key(struct arena *arena, const char *email)
{
    char *key = arena_strdup(arena, email);
    for (char *c = key; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    drop_needless_quotes(key);
    return key;
}

bool name_is_valid(const char *name)
{
    return !strpbrk(name, "\r\n\t") && name[strspn(name, " ")] != '\0';
}

bool role_is_valid(const char *role)
{
    return strcmp(role, "user") == 0 || strcmp(role, "admin") == 0;
}

enum refresh_decision refresh_decide(int64_t generation, int64_t current, int64_t rotated_wall_ms, int64_t now_wall_ms)
{
    if (generation == current)
        return REFRESH_ROTATE;
    int64_t age_ms = now_wall_ms - rotated_wall_ms; /* less than 0 after the clock was set back */
    if (generation == current - 1 && age_ms <= REFRESH_GRACE_MS && age_ms >= -REFRESH_GRACE_MS)
        return REFRESH_REPEAT;
    return REFRESH_REUSED;
}

bool origin_is_trusted(struct text origin, struct text host, const char *listed)
{
    static const char *const schemes[] = {"http://", "https://"};
    struct text rest = text_of(listed), part;
    if (!origin.size)
        return false;
    while (text_split(&rest, ',', &part))
        if (text_equal(text_trim(part), origin))
            return true;
    for (unsigned i = 0; host.size && i < 2; i++) {
        struct text scheme = text_of(schemes[i]);
        if (text_starts(origin, scheme) && text_equal_nocase((struct text){origin.at + scheme.size, origin.size - scheme.size}, host))
            return true;
    }
    return false;
}

struct text cookie_value(struct text field, const char *name)
{
    struct text pair, wanted = text_of(name);
    while (field.at && text_split(&field, ';', &pair)) {
        pair = text_trim(pair);
        if (pair.size > wanted.size && text_starts(pair, wanted) && pair.at[wanted.size] == '=')
            return (struct text){pair.at + wanted.size + 1, pair.size - wanted.size - 1};
    }
    return (struct text){NULL, 0};
}

int64_t backoff_delay_ms(unsigned failures)
{
    int64_t delay_ms = DELAY_FIRST_MS;
    if (failures <= FREE_FAILURES)
        return 0;
    for (unsigned i = FREE_FAILURES + 1; i < failures && delay_ms < DELAY_MAX_MS; i++)
        delay_ms *= 2;
    return delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS;
}

unsigned key_that_signs(const int64_t *signs_from_wall_ms, unsigned count, int64_t now_wall_ms)
{
    unsigned signs = 0;
    for (unsigned i = 1; i < count; i++)
        if (signs_from_wall_ms[i] <= now_wall_ms)
            signs = i;
    return signs;
}

bool key_is_published(const int64_t *signs_from_wall_ms, unsigned count, unsigned i, int64_t now_wall_ms, int64_t token_life_ms)
{
    return i + 1 == count || now_wall_ms <= signs_from_wall_ms[i + 1] + token_life_ms + KEY_MARGIN_MS;
}
