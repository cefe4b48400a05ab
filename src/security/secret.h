/* The one secret of an installation, from which everything that is sealed or signed by it derives its own key. */
#ifndef PURSER_SECURITY_SECRET_H
#define PURSER_SECURITY_SECRET_H

#include "base/err.h"

/* PURSER_KEY_SECRET, or else the line in `key.secret` of the data folder, which is made (mode 0600, durable) where it is missing. Reads
 * files: at start. 0 and a string that stays valid for ever, or negative with one line. */
int secret_load(const char **ret_secret, struct err *err);

#endif
