/* The catalogue and orders: the service as the process skeleton sees it. */
#ifndef PURSER_ORDERS_ORDERS_H
#define PURSER_ORDERS_ORDERS_H

#include "service/service.h"

extern const struct service orders_service;

#endif
