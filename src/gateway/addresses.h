/* Who really asks, where proxies that we trust stand in between (X-Forwarded-For counts from them alone). */
#ifndef PURSER_GATEWAY_ADDRESSES_H
#define PURSER_GATEWAY_ADDRESSES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

struct proxies;
/* From the setting's form: comma-separated addresses and networks. 0 or -EINVAL with words. */
int proxies_parse(const char *list, struct proxies **ret_proxies, struct err *err);
/* Gives the list that `proxies` replaces into its keeping: both live until proxies_free. NULL is fine. */
void proxies_keep(struct proxies *proxies, struct proxies *former);
void proxies_free(struct proxies *proxies);
/* The client's numeric address: walks X-Forwarded-For (all of it joined by commas; may be empty) from the right over trusted ones. The
 * result is in the arena or is `peer`. */
const char *proxies_client(const struct proxies *proxies, struct arena *arena, const char *peer, struct text forwarded);

#endif
