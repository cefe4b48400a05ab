/*
 * Variables of the environment that look like settings and are none: a misspelt one would otherwise be passed over, and its default count.
 * They refuse nothing, since others name variables, too: container platforms (a service called purser-gateway gives each container
 * PURSER_GATEWAY_SERVICE_HOST) and the scripts of this tree.
 */
#include "base/settings_parts.h"

#include <ctype.h>
#include <string.h>

#define PREFIX "PURSER_"

/* Of scripts/ and tests/: where engines, clusters and the system under test are. */
static bool is_of_scripts(const char *name)
{
    static const char *const starts[] = {"engines_", "cluster_", "base_url", "binary", "admin_email"};
    for (unsigned i = 0; i < sizeof starts / sizeof *starts; i++)
        if (!strncmp(name, starts[i], strlen(starts[i])))
            return true;
    return false;
}

/* NAME_SERVICE_HOST, NAME_SERVICE_PORT…, NAME_PORT=tcp://…, NAME_PORT_80_TCP…: Kubernetes' and Docker's address of a service. */
static bool is_of_platform(const char *name, const char *value)
{
    const char *port = strstr(name, "_port");
    return strstr(name, "_service_host") || strstr(name, "_service_port") || (port && isdigit((unsigned char)port[strspn(port, "_port")])) ||
           (port && strstr(value, "://"));
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's: characters to insert, remove or replace. Both shorter than SETTINGS_NAME_SIZE. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[SETTINGS_NAME_SIZE];
    size_t size = strlen(b);
    for (unsigned k = 0; k <= size; k++)
        row[k] = k;
    for (unsigned i = 0; a[i]; i++) {
        unsigned diagonal = row[0];
        row[0] = i + 1;
        for (unsigned k = 0; k < size; k++) {
            unsigned above = row[k + 1];
            row[k + 1] = least(above + 1, row[k] + 1, diagonal + (a[i] != b[k]));
            diagonal = above;
        }
    }
    return row[size];
}

bool settings_similar(const char *name, char ret_variable[SETTINGS_NAME_SIZE])
{
    unsigned best = (unsigned)strlen(name) / 2 + 1; /* with more than half of it changed it would be another name */
    const struct settings_row *found = NULL;
    for (unsigned i = 0; i < SETTINGS_COUNT; i++) {
        unsigned far = distance(name, settings_rows[i].name);
        if (far < best) {
            best = far;
            found = &settings_rows[i];
        }
    }
    if (found)
        settings_variable(found, ret_variable);
    return found;
}

static void look_at(const char *entry, void (*visit)(void *arg, const char *variable, const char *similar), void *arg)
{
    char name[SETTINGS_NAME_SIZE], variable[SETTINGS_NAME_SIZE], similar[SETTINGS_NAME_SIZE];
    const char *equals = strchr(entry, '=');
    size_t size = equals ? (size_t)(equals - entry) : 0;
    if (size <= strlen(PREFIX) || size >= sizeof variable || strncmp(entry, PREFIX, strlen(PREFIX)))
        return;
    memcpy(variable, entry, size);
    variable[size] = 0;
    settings_name(variable, name);
    const char *meant = settings_similar(name, similar) ? similar : NULL;
    if ((meant && !strcmp(meant, variable)) || is_of_scripts(name) || is_of_platform(name, equals + 1))
        return;
    visit(arg, variable, meant);
}

void settings_each_unknown(char *const *environment, void (*visit)(void *arg, const char *variable, const char *similar), void *arg)
{
    for (; *environment; environment++)
        look_at(*environment, visit, arg);
}
