/* Clocks, and RFC 3339 text. The calendar is computed (proleptic Gregorian, days from civil), so no locale and no lock of the C library. */
#include "base/clock.h"

#include "base/text.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#define DAY_MS 86400000LL
#define SET_MIN_MS 1000 /* less is how clocks are kept right */

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

static int64_t offset_now(void)
{
    return clock_wall_ms() - clock_mono_ms();
}

int64_t clock_steady_ms(void)
{
    static _Atomic int64_t first;
    int64_t offset = atomic_load(&first), none = 0;
    if (!offset) {
        offset = offset_now();
        if (!atomic_compare_exchange_strong(&first, &none, offset))
            offset = none;
    }
    return offset + clock_mono_ms();
}

int64_t clock_set_by_ms(int64_t *offset)
{
    int64_t now = offset_now(), by = *offset ? now - *offset : 0;
    *offset = now;
    return by <= -SET_MIN_MS || by >= SET_MIN_MS ? by : 0;
}

/* Days since 1970-01-01; years begin in March, so that the leap day is the last of its year. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    *ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = (int)(year + era * 400 + (*ret_month <= 2));
}

static void put_digits(char *at, int width, int64_t value)
{
    for (int i = width - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
}

void time_print(int64_t wall_ms, char ret_text[TIME_TEXT_SIZE])
{
    int64_t days = wall_ms / DAY_MS, rest = wall_ms % DAY_MS;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    int year, month, day;
    civil_from_days(days, &year, &month, &day);
    memcpy(ret_text, "0000-00-00T00:00:00.000Z", TIME_TEXT_SIZE);
    put_digits(ret_text, 4, year);
    put_digits(ret_text + 5, 2, month);
    put_digits(ret_text + 8, 2, day);
    put_digits(ret_text + 11, 2, rest / 3600000);
    put_digits(ret_text + 14, 2, rest / 60000 % 60);
    put_digits(ret_text + 17, 2, rest / 1000 % 60);
    put_digits(ret_text + 20, 3, rest % 1000);
}

/* Takes exactly `width` digits off the front. */
static bool take_digits(const char **at, int width, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < width; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (**at - '0');
    }
    *ret_value = value;
    return true;
}

static bool take_char(const char **at, char wanted)
{
    if (**at != wanted)
        return false;
    (*at)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(const char **at, int64_t *ret_days)
{
    int year, month, day;
    if (!take_digits(at, 4, &year) || !take_char(at, '-') || !take_digits(at, 2, &month) || !take_char(at, '-') ||
        !take_digits(at, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *ret_days = days_from_civil(year, month, day);
    return true;
}

static bool take_fraction(const char **at, int *ret_ms)
{
    int digits = 0, ms = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++, digits++)
        if (digits < 3)
            ms = ms * 10 + (**at - '0');
    for (int i = digits; i < 3; i++)
        ms *= 10;
    *ret_ms = ms;
    return digits > 0;
}

/* A leap second counts as the second before it. */
static bool take_time(const char **at, int64_t *ret_ms)
{
    int hour, minute, second, ms = 0;
    if (!take_digits(at, 2, &hour) || !take_char(at, ':') || !take_digits(at, 2, &minute) || !take_char(at, ':') ||
        !take_digits(at, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    if (take_char(at, '.') && !take_fraction(at, &ms))
        return false;
    *ret_ms = hour * 3600000LL + minute * 60000LL + (second == 60 ? 59 : second) * 1000LL + ms;
    return true;
}

static bool take_zone(const char **at, int64_t *ret_ms)
{
    *ret_ms = 0;
    if (take_char(at, 'Z') || take_char(at, 'z'))
        return true;
    int sign = take_char(at, '+') ? 1 : take_char(at, '-') ? -1 : 0;
    int hour, minute;
    if (!sign || !take_digits(at, 2, &hour) || !take_char(at, ':') || !take_digits(at, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *ret_ms = sign * (hour * 3600000LL + minute * 60000LL);
    return true;
}

int time_parse(const char *text, int64_t *ret_wall_ms)
{
    int64_t days, ms, zone;
    if (!text || !take_date(&text, &days))
        return -EINVAL;
    if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' '))
        return -EINVAL;
    if (!take_time(&text, &ms) || !take_zone(&text, &zone) || *text)
        return -EINVAL;
    *ret_wall_ms = days * DAY_MS + ms - zone;
    return 0;
}
