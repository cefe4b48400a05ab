/* UUIDv7: 48 bits of wall time, 12 bits that count up within a millisecond, 62 random bits. A clock that jumps back does not make ids
 * descend: the last millisecond goes on until it is reached again. */
#include "base/uuid.h"

#include "base/clock.h"
#include "base/text.h"

#include <sodium.h>

static _Thread_local int64_t last_ms;
static _Thread_local unsigned last_count;

void random_bytes(void *ret_bytes, unsigned long size)
{
    randombytes_buf(ret_bytes, size);
}

/* Ids need no secrecy, so one system call serves many of them. */
static void random_for_id(unsigned char ret_bytes[10])
{
    static _Thread_local unsigned char batch[5120];
    static _Thread_local size_t left;
    if (!left) {
        randombytes_buf(batch, sizeof batch);
        left = sizeof batch;
    }
    left -= 10;
    memcpy(ret_bytes, batch + left, 10);
}

void uuid_make(char ret_id[UUID_SIZE])
{
    unsigned char random[10], id[16];
    random_for_id(random);
    int64_t now = clock_wall_ms();
    if (now > last_ms) {
        last_ms = now;
        last_count = ((unsigned)random[8] << 8 | random[9]) & 0x7ff; /* half of the range stays free to count up */
    } else if (++last_count > 0xfff) {
        last_ms++;
        last_count = 0;
    }
    for (int i = 0; i < 6; i++)
        id[i] = (unsigned char)(last_ms >> (40 - 8 * i));
    id[6] = (unsigned char)(0x70 | last_count >> 8);
    id[7] = (unsigned char)last_count;
    memcpy(id + 8, random, 8);
    id[8] = (unsigned char)((id[8] & 0x3f) | 0x80);
    char hex[33];
    hex_encode(id, sizeof id, hex);
    const int groups[] = {8, 4, 4, 4, 12};
    char *to = ret_id;
    const char *from = hex;
    for (int i = 0; i < 5; i++) {
        memcpy(to, from, (size_t)groups[i]);
        to += groups[i];
        from += groups[i];
        *to++ = i < 4 ? '-' : 0;
    }
}

bool uuid_is_valid(const char *id)
{
    if (!id)
        return false;
    for (int i = 0; i < UUID_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = id[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex)
            return false;
    }
    return id[UUID_SIZE - 1] == 0;
}

int64_t uuid_time_ms(const char *id)
{
    uint64_t ms = 0;
    for (int i = 0; i < 13; i++) {
        unsigned c = (unsigned char)id[i];
        if (i != 8)
            ms = ms << 4 | ((c & 0xf) + (c > '9' ? 9 : 0));
    }
    return (int64_t)ms;
}
