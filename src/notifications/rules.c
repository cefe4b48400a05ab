/* The words of notifications, as a table of event types. No I/O: what an event does not say is not said. */
#include "notifications/rules.h"

#include "base/json_members.h"
#include "base/json_text.h"
#include "contracts/names.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define TYPE_PREFIX "purser."

/* What a type's words are made of. */
enum subject { ABOUT_USER, ABOUT_ORDER, ABOUT_FAILURE, ABOUT_CANCELLATION, ABOUT_REFUND };

static const struct phrase {
    const char *type, *title;
    const char *body; /* %s is the money; NULL: put together in body_of */
    enum subject subject;
} phrases[] = {
    {EVENT_USER_REGISTERED, "Welcome", "Your account is ready.", ABOUT_USER},
    {EVENT_ORDER_CREATED, "Order received", "We have your order of %s.", ABOUT_ORDER},
    {EVENT_ORDER_PAID, "Order paid", "Your payment of %s has arrived.", ABOUT_ORDER},
    {EVENT_ORDER_PAYMENT_FAILED, "Payment failed", NULL, ABOUT_FAILURE},
    {EVENT_ORDER_CANCELLED, "Order cancelled", NULL, ABOUT_CANCELLATION},
    {EVENT_ORDER_SHIPPED, "Order shipped", "Your order of %s is on its way.", ABOUT_ORDER},
    {EVENT_ORDER_DELIVERED, "Order delivered", "Your order of %s has arrived.", ABOUT_ORDER},
    {EVENT_PAYMENT_REFUNDED, "Money returned", "We returned %s to you.", ABOUT_REFUND},
};

/* ISO 4217: those that do not have two decimals. */
static int decimals_of(const char *currency)
{
    static const char none[] = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
    static const char three[] = "BHD IQD JOD KWD LYD OMR TND";
    return strstr(none, currency) ? 0 : strstr(three, currency) ? 3 : 2;
}

char *money_print(struct arena *arena, int64_t amount_minor, const char *currency)
{
    static const int64_t units[] = {1, 10, 100, 1000};
    int decimals = decimals_of(currency);
    int64_t unit = units[decimals];
    if (decimals == 0)
        return arena_printf(arena, "%" PRId64 " %s", amount_minor, currency);
    return arena_printf(arena, "%" PRId64 ".%0*" PRId64 " %s", amount_minor / unit, decimals, amount_minor % unit, currency);
}

/* "card_declined" in words. */
static char *code_in_words(struct arena *arena, const char *code)
{
    char *words = arena_strdup(arena, code);
    for (char *at = words; *at; at++)
        if (*at == '_')
            *at = ' ';
    return words;
}

static char *body_of(struct arena *arena, const struct phrase *phrase, const char *code, const char *reason, const char *money)
{
    switch (phrase->subject) {
    case ABOUT_USER: return arena_strdup(arena, phrase->body);
    case ABOUT_FAILURE:
        return arena_printf(arena, "Your payment of %s failed: %s. You can try again.", money, code_in_words(arena, code ? code : "unknown"));
    case ABOUT_CANCELLATION:
        return arena_printf(arena, "Your order of %s was cancelled%s%s.", money, reason ? ": " : "", reason ? reason : "");
    case ABOUT_ORDER:
    case ABOUT_REFUND: break;
    }
    const char *gap = strstr(phrase->body, "%s");
    return arena_printf(arena, "%.*s%s%s", (int)(gap - phrase->body), phrase->body, money, gap + 2);
}

/* What is read of an event; the members before REASON are those that a client may follow. */
enum member { ORDER_ID, PAYMENT_ID, TOTAL, AMOUNT, REFUNDED, CURRENCY, FAILURE_CODE, REASON, MEMBERS };

static struct text data_of(struct arena *arena, const struct json_member *members)
{
    struct text data = json_text(arena, "jjjjjjj", "order_id", &members[ORDER_ID].raw, "payment_id", &members[PAYMENT_ID].raw, "total",
                                 &members[TOTAL].raw, "amount", &members[AMOUNT].raw, "refunded_amount", &members[REFUNDED].raw, "currency",
                                 &members[CURRENCY].raw, "failure_code", &members[FAILURE_CODE].raw);
    return data.size > strlen("{}") ? data : (struct text){0};
}

int wording_of(struct arena *arena, const struct event *event, struct wording *ret_wording)
{
    struct json_member members[MEMBERS] = {
        [ORDER_ID] = {"order_id"},
        [PAYMENT_ID] = {"payment_id"},
        [TOTAL] = {"total"},
        [AMOUNT] = {"amount"},
        [REFUNDED] = {"refunded_amount"},
        [CURRENCY] = {"currency"},
        [FAILURE_CODE] = {"failure_code"},
        [REASON] = {"reason"},
    };
    const struct phrase *phrase = NULL;
    for (unsigned i = 0; i < sizeof phrases / sizeof *phrases && !phrase; i++)
        if (strcmp(phrases[i].type, event->type) == 0)
            phrase = &phrases[i];
    if (!phrase)
        return -ENOENT;
    if (json_members_known(arena, event->data, members, MEMBERS) < 0)
        return -EBADMSG;
    const char *money = NULL;
    if (phrase->subject != ABOUT_USER) {
        const char *currency = members[CURRENCY].string;
        const struct json_member *amount = &members[phrase->subject == ABOUT_REFUND ? AMOUNT : TOTAL];
        if (!currency || !amount->is_integer)
            return -EBADMSG;
        money = money_print(arena, amount->integer, currency);
    }
    *ret_wording = (struct wording){
        .type = event->type + sizeof TYPE_PREFIX - 1,
        .title = phrase->title,
        .body = body_of(arena, phrase, members[FAILURE_CODE].string, members[REASON].string, money),
        .data = data_of(arena, members),
    };
    return 0;
}
