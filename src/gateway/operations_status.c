/*
 * The system as it is now, put together from what every instance of every service says of itself, one after the other with a short deadline:
 * one that is away leaves a gap, never an error. Instances add up; queues, topics and outboxes, which belong to all, are taken once.
 */
#include "gateway/operations.h"

#include "base/clock.h"
#include "base/recent.h"
#include "base/settings.h"
#include "http/problem.h"
#include "service/health.h"
#include "service/process.h"
#include "service/upstream.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct operations_own (*own_source)(void);

void operations_set_source(struct operations_own (*source)(void))
{
    own_source = source;
}

/* ---- asking ---- */

/* [{address, healthy, in_flight, said}] as of upstream_ask_each; one without address for a service of this process. */
static FIBER_FN json_t *ask_instances(struct arena *arena, const char *service)
{
    struct upstream *upstream = service_is_here(service) ? NULL : upstream_of(service);
    if (upstream)
        return upstream_ask_each(upstream, arena, "/internal/status", OPERATIONS_ASK_MS);
    json_t *said = operations_ask(service, "/internal/status");
    return said ? json_make(arena, "[{s:b, s:O}]", "healthy", true, "said", said) : json_make(arena, "[]");
}

struct answers {
    json_t *of[OPERATIONS_SERVICES];
};

/* Calls `visit` with what each instance of each service said; `arg` goes along. */
static void each_said(const struct answers *answers, void (*visit)(void *arg, const json_t *said), void *arg)
{
    for (unsigned i = 0; i < OPERATIONS_SERVICES; i++) {
        size_t k;
        json_t *instance;
        json_array_foreach(answers->of[i], k, instance)
            if (json_is_object(json_object_get(instance, "said")))
                visit(arg, json_object_get(instance, "said"));
    }
}

/* ---- services ---- */

static json_t *instance_of(struct arena *arena, const char *service, const json_t *instance)
{
    const json_t *said = json_object_get(instance, "said");
    const char *address = json_get_string(instance, "address"), *state = json_get_string(said, "state");
    json_t *shown = json_make(arena, "{s:s, s:s?, s:s}", "id",
                              address ? address : arena_printf(arena, "%s-%lld", service, (long long)json_get_integer(said, "pid")),
                              "address", address, "state", state ? state : "down");
    if (!address)
        json_object_del(shown, "address");
    if (json_is_object(said))
        json_put(shown, "uptime_s", json_object_get(said, "uptime_s"));
    if (json_object_get(instance, "in_flight"))
        json_put(shown, "in_flight", json_object_get(instance, "in_flight"));
    return shown;
}

/* Engines that at least one instance cannot reach. */
static void add_missing(json_t *list, const json_t *said)
{
    json_t *value, *known;
    const char *name;
    size_t i;
    json_object_foreach(json_object_get(said, "engines"), name, value) {
        bool new = strcmp(json_string_value(value), "away") == 0;
        json_array_foreach(list, i, known)
            new = new && strcmp(json_string_value(known), name) != 0;
        if (new)
            json_add_new(list, json_string(name));
    }
}

/* Nobody looks for more than thousandths in what is counted over seconds. */
static json_t *measured(double value)
{
    return json_real(round(value * 1000) / 1000);
}

static void set_rates(json_t *object, struct recent_rates rates)
{
    json_put_new(object, "requests_per_second", measured(rates.per_second));
    json_put_new(object, "errors_per_second", measured(rates.failed_per_second));
    if (rates.p99_ms >= 0)
        json_put_new(object, "p99_ms", measured(rates.p99_ms));
}

/* Rates of instances add up; of their 99th percentiles the worst is said. */
static void add_rates(struct recent_rates *sum, const json_t *said)
{
    const json_t *rates = json_object_get(said, "rates");
    double p99_ms = json_number_value(json_object_get(rates, "p99_ms"));
    sum->per_second += json_number_value(json_object_get(rates, "requests"));
    sum->failed_per_second += json_number_value(json_object_get(rates, "errors"));
    if (rates && p99_ms > sum->p99_ms)
        sum->p99_ms = p99_ms;
}

/* Down: nobody answers. Degraded: an instance does not, or an engine is out of reach. */
static const char *state_of(unsigned answering, size_t instances, const json_t *missing, const char *said)
{
    if (!answering)
        return "down";
    return answering < instances || json_array_size(missing) ? "degraded" : said;
}

static json_t *service_of(struct arena *arena, const char *service, const json_t *answers)
{
    struct recent_rates rates = {.p99_ms = -1};
    json_t *instances = json_make(arena, "[]"), *missing = json_make(arena, "[]"), *instance;
    const char *state = "up";
    unsigned answering = 0;
    size_t i;
    json_array_foreach(answers, i, instance) {
        const json_t *said = json_object_get(instance, "said");
        json_add(instances, instance_of(arena, service, instance));
        if (!json_is_object(said))
            continue;
        answering++;
        state = json_get_string(said, "state");
        add_missing(missing, said);
        add_rates(&rates, said);
    }
    json_t *object = json_make(arena, "{s:s, s:s, s:O, s:O}", "name", service, "state",
                               state_of(answering, json_array_size(answers), missing, state ? state : "up"), "missing", missing,
                               "instances", instances);
    if (answering)
        set_rates(object, rates);
    return object;
}

static json_t *gateway_of(struct arena *arena, const struct operations_own *own, struct recent_rates rates)
{
    const char *state = process_is_draining() ? "draining" : "up";
    json_t *object = json_make(arena, "{s:s, s:s, s:[{s:s, s:s, s:s, s:i}]}", "name", "gateway", "state", state, "instances", "id",
                               own->address, "address", own->address, "state", state, "in_flight", (int)own->in_flight);
    set_rates(object, rates);
    return object;
}

struct list {
    struct arena *arena;
    json_t *array;
};

static void add_group(void *arg, const char *name, struct recent_rates rates)
{
    struct list *groups = arg;
    json_t *object = json_make(groups->arena, "{s:s}", "prefix", arena_printf(groups->arena, "/api/v1/%s", name));
    set_rates(object, rates);
    json_add(groups->array, object);
}

/* ---- engines ---- */

static const char *adapter_of(const char *port)
{
    char setting[32];
    snprintf(setting, sizeof setting, "%s_url", port);
    const char *url = settings_text(setting);
    static const struct {
        const char *scheme, *adapter;
    } schemes[] = {{"sqlite", "sqlite"}, {"postgres", "postgres"}, {"amqp", "rabbitmq"}, {"kafka", "kafka"}, {"redis", "redis"}};
    for (unsigned i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) == 0)
            return schemes[i].adapter;
    return "embedded";
}

static void add_away(void *arg, const json_t *said)
{
    add_missing(arg, said);
}

/* An engine is away if any of those asked cannot reach it. */
static json_t *engines_of(struct arena *arena, const struct answers *answers)
{
    static const char *const ports[] = {"database", "queue", "stream", "cache"};
    json_t *list = json_make(arena, "[]"), *missing = json_make(arena, "[]"), *name;
    add_missing(missing, json_make(arena, "{s:O}", "engines", health_engines(arena)));
    each_said(answers, add_away, missing);
    for (unsigned i = 0; i < 4; i++) {
        bool away = false;
        size_t k;
        json_array_foreach(missing, k, name)
            away |= strcmp(json_string_value(name), ports[i]) == 0;
        json_add(list, json_make(arena, "{s:s, s:s, s:s}", "port", ports[i], "adapter", adapter_of(ports[i]), "state",
                                          away ? "down" : "up"));
    }
    return list;
}

/* ---- queues and topics ---- */

static json_t *find_by(json_t *list, const char *key, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        if (strcmp(json_get_string(item, key), name) == 0)
            return item;
    return NULL;
}

/* Everybody sees the same queues: one of each name. */
static void add_queues(void *arg, const json_t *said)
{
    struct list *queues = arg;
    size_t i;
    json_t *queue;
    json_array_foreach(json_object_get(said, "queues"), i, queue) {
        const char *name = json_get_string(queue, "name");
        if (!name || find_by(queues->array, "name", name))
            continue;
        json_add(queues->array, json_make(queues->arena, "{s:s, s:I, s:I, s:I, s:f, s:f}", "name", name, "depth",
                                                   (json_int_t)(json_get_integer(queue, "ready") + json_get_integer(queue, "retrying")),
                                                   "in_flight", (json_int_t)json_get_integer(queue, "unacknowledged"), "dead",
                                                   (json_int_t)json_get_integer(queue, "dead"), "published_per_second", 0.0,
                                                   "handled_per_second", 0.0));
    }
}

static void add_topics(void *arg, const json_t *said)
{
    struct list *topics = arg;
    size_t i;
    json_t *lag;
    json_array_foreach(json_object_get(said, "lags"), i, lag) {
        const char *name = json_get_string(lag, "topic"), *group = json_get_string(lag, "group");
        if (!name || !group)
            continue;
        json_t *topic = find_by(topics->array, "name", name);
        if (!topic) {
            topic = json_make(topics->arena, "{s:s, s:f, s:[]}", "name", name, "published_per_second", 0.0, "consumers");
            json_add(topics->array, topic);
        }
        json_t *consumers = json_object_get(topic, "consumers");
        if (!find_by(consumers, "group", group))
            json_add(consumers, json_make(topics->arena, "{s:s, s:I}", "group", group, "lag",
                                                   (json_int_t)json_get_integer(lag, "lag")));
    }
}

static void add_speed(json_t *list, const json_t *speeds, const char *member)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        double speed = json_number_value(json_object_get(speeds, json_get_string(item, "name")));
        json_put_new(item, member, measured(json_number_value(json_object_get(item, member)) + speed));
    }
}

struct speeds {
    struct arena *arena;
    json_t *seen; /* processes: each counts once, however many services it runs */
    json_t *queues, *topics;
};

static void add_speeds(void *arg, const json_t *said)
{
    struct speeds *to = arg;
    const char *process = json_get_string(said, "process");
    if (!process || json_object_get(to->seen, process))
        return;
    json_put_new(to->seen, process, json_true());
    add_speed(to->queues, json_object_get(said, "published"), "published_per_second");
    add_speed(to->queues, json_object_get(said, "handled"), "handled_per_second");
    add_speed(to->topics, json_object_get(said, "streamed"), "published_per_second");
}

/* ---- all of it ---- */

struct sums {
    struct list outbox;
    int64_t dead, websockets;
};

/* Instances of a service share its database: the first that tells of its outbox and dead letters tells for all. */
static void add_backlog(void *arg, const json_t *said)
{
    struct sums *sums = arg;
    json_t *outbox = json_object_get(said, "outbox");
    const char *service = json_get_string(outbox, "service");
    if (service && !find_by(sums->outbox.array, "service", service)) {
        json_add(sums->outbox.array, outbox);
        sums->dead += json_get_integer(said, "dead_letters");
    }
    sums->websockets += json_get_integer(said, "websockets");
}

static json_t *rates_of(struct arena *arena, struct recent_rates rates, int64_t websockets)
{
    json_t *object = json_make(arena, "{s:I}", "websockets", (json_int_t)websockets);
    set_rates(object, rates);
    return object;
}

FIBER_FN void operations_status(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    struct arena *arena = request->arena;
    struct operations_own own = own_source();
    struct answers answers = {0};
    struct list queues = {arena, json_make(arena, "[]")}, topics = {arena, json_make(arena, "[]")}, groups = {arena, json_make(arena, "[]")};
    struct sums sums = {.outbox = {arena, json_make(arena, "[]")}};
    struct recent_rates rates = recent_read(recent_get(RECENT_SERVICE, "gateway"));
    json_t *list = json_make(arena, "[]");
    char at[TIME_TEXT_SIZE];
    json_add(list, gateway_of(arena, &own, rates));
    for (unsigned i = 0; i < OPERATIONS_SERVICES; i++) {
        if (!operations_has(operations_services[i]))
            continue;
        answers.of[i] = ask_instances(arena, operations_services[i]);
        json_add(list, service_of(arena, operations_services[i], answers.of[i]));
    }
    recent_each(RECENT_ROUTES, add_group, &groups);
    each_said(&answers, add_queues, &queues);
    each_said(&answers, add_topics, &topics);
    each_said(&answers, add_backlog, &sums);
    each_said(&answers, add_speeds, &(struct speeds){arena, json_make(arena, "{}"), queues.array, topics.array});
    int64_t websockets = sums.websockets > own.websockets ? sums.websockets : own.websockets;
    time_print(clock_wall_ms(), at);
    bool embedded = strcmp(adapter_of("database"), "sqlite") == 0;
    respond_json(response, 200,
                 json_make(arena, "{s:s, s:s, s:s, s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:I}", "at", at, "profile",
                           embedded ? "embedded" : "cluster", "version", PURSER_VERSION, "services", list, "routes", groups.array,
                           "engines", engines_of(arena, &answers), "queues", queues.array, "topics", topics.array, "outbox",
                           sums.outbox.array, "rates", rates_of(arena, rates, websockets), "dead_letters", (json_int_t)sums.dead));
}
