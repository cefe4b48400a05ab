/* Lags of a group (see the header). What is committed is asked on the group's own connection, ends and beginnings on the producer's. */
#include "engines/kafka_lags.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define ASK_WAIT_MS 1500
#define COMMITTED_WAIT_MS 1000

void kafka_lags_init(struct kafka_lags *lags)
{
    pthread_mutex_init(&lags->lock, NULL);
}

void kafka_lags_fini(struct kafka_lags *lags)
{
    pthread_mutex_destroy(&lags->lock);
}

/* ---- the thread ---- */

/* Those of which nothing is committed were not read from where they begin. */
static int begin_uncommitted(struct kafka_producer *producer, rd_kafka_topic_partition_list_t *committed)
{
    rd_kafka_topic_partition_list_t *begins = rd_kafka_topic_partition_list_new(STREAM_PARTITIONS);
    for (int i = 0; i < committed->cnt; i++)
        if (committed->elems[i].offset < 0)
            rd_kafka_topic_partition_list_add(begins, committed->elems[i].topic, committed->elems[i].partition);
    int result = begins->cnt ? kafka_offsets(producer, begins, RD_KAFKA_OFFSET_BEGINNING) : 0;
    for (int i = 0; i < begins->cnt && !result; i++)
        rd_kafka_topic_partition_list_set_offset(committed, begins->elems[i].topic, begins->elems[i].partition, begins->elems[i].offset);
    rd_kafka_topic_partition_list_destroy(begins);
    return result;
}

static void add_lags(const struct kafka_lags *lags, const rd_kafka_topic_partition_list_t *committed,
                     const rd_kafka_topic_partition_list_t *ends, struct kafka_lag *ret_lags)
{
    for (int i = 0; i < committed->cnt; i++)
        for (unsigned k = 0; k < lags->topic_count; k++)
            if (strcmp(lags->topics[k], committed->elems[i].topic) == 0) {
                ret_lags[k].end += ends->elems[i].offset;
                ret_lags[k].lag += ends->elems[i].offset - committed->elems[i].offset;
            }
}

/* Two or three questions for all partitions together, with a time of their own each. */
static int look_up(struct kafka_lags *lags, rd_kafka_t *kafka, struct kafka_lag *ret_lags)
{
    rd_kafka_topic_partition_list_t *committed = rd_kafka_topic_partition_list_new(STREAM_PARTITIONS);
    for (unsigned i = 0; i < lags->topic_count; i++)
        rd_kafka_topic_partition_list_add_range(committed, lags->topics[i], 0, STREAM_PARTITIONS - 1);
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_copy(committed);
    int result = rd_kafka_committed(kafka, committed, COMMITTED_WAIT_MS) ? -EAGAIN : 0;
    if (!result)
        result = begin_uncommitted(lags->producer, committed);
    if (!result) /* last, so that no lag is below zero */
        result = kafka_offsets(lags->producer, ends, RD_KAFKA_OFFSET_END);
    if (!result)
        add_lags(lags, committed, ends, ret_lags);
    rd_kafka_topic_partition_list_destroy(ends);
    rd_kafka_topic_partition_list_destroy(committed);
    return result;
}

static void answer(struct kafka_lags *lags, int result, const struct kafka_lag *of)
{
    pthread_mutex_lock(&lags->lock);
    lags->wanted = false;
    lags->result = result;
    memcpy(lags->of, of, sizeof lags->of);
    if (lags->asker)
        wakeup_ring(lags->asker);
    lags->asker = NULL;
    pthread_mutex_unlock(&lags->lock);
}

void kafka_lags_answer(struct kafka_lags *lags, rd_kafka_t *kafka)
{
    pthread_mutex_lock(&lags->lock);
    bool wanted = lags->wanted;
    pthread_mutex_unlock(&lags->lock);
    struct kafka_lag of[STREAM_TOPICS_MAX] = {0};
    if (wanted)
        answer(lags, look_up(lags, kafka, of), of);
}

void kafka_lags_close(struct kafka_lags *lags)
{
    static const struct kafka_lag none[STREAM_TOPICS_MAX];
    pthread_mutex_lock(&lags->lock);
    lags->closed = true;
    pthread_mutex_unlock(&lags->lock);
    answer(lags, -EAGAIN, none);
}

/* ---- the fiber ---- */

static bool begin_to_ask(struct kafka_lags *lags, struct wakeup *asked)
{
    pthread_mutex_lock(&lags->lock);
    bool may = !lags->wanted && !lags->closed;
    if (may) {
        lags->wanted = true;
        lags->asker = asked;
    }
    pthread_mutex_unlock(&lags->lock);
    return may;
}

FIBER_FN int kafka_lags_ask(struct kafka_lags *lags, struct arena *arena, json_t *list)
{
    struct wakeup asked = {0};
    if (!begin_to_ask(lags, &asked))
        return -EAGAIN;
    int waited = wakeup_wait(&asked, clock_mono_ms() + ASK_WAIT_MS);
    pthread_mutex_lock(&lags->lock);
    if (lags->asker == &asked)
        lags->asker = NULL; /* whoever answers has nobody to wake */
    int result = waited ? -EAGAIN : lags->result;
    struct kafka_lag of[STREAM_TOPICS_MAX];
    memcpy(of, lags->of, sizeof of);
    pthread_mutex_unlock(&lags->lock);
    for (unsigned i = 0; !result && i < lags->topic_count; i++)
        json_add(list, json_make(arena, "{s:s, s:s, s:I, s:I}", "topic", lags->topics[i], "group", lags->group, "lag",
                                 (json_int_t)of[i].lag, "end", (json_int_t)of[i].end));
    return result;
}
