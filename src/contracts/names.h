/* The names that services share: queues, topics, event types. Nothing else is shared between services. */
#ifndef PURSER_CONTRACTS_NAMES_H
#define PURSER_CONTRACTS_NAMES_H

#define QUEUE_USER_CREATED "user.created"
#define QUEUE_ORDER_CREATED "order.created"
#define QUEUE_PAYMENT_REQUEST "payment.request"
#define QUEUE_PAYMENT_PROCESSED "order.payment.processed"
#define QUEUE_NOTIFICATIONS "notifications"
#define QUEUE_INVOCATIONS "functions.invocations"

#define TOPIC_USERS "user-events"
#define TOPIC_ORDERS "order-events"
#define TOPIC_PAYMENTS "payment-events"

#define SOURCE_USERS "/users"
#define SOURCE_ORDERS "/orders"
#define SOURCE_PAYMENTS "/payments"
#define SOURCE_NOTIFICATIONS "/notifications"
#define SOURCE_FUNCTIONS "/functions"

/* Topics. data always has user_id. */
#define EVENT_USER_REGISTERED "purser.user.registered"
#define EVENT_USER_UPDATED "purser.user.updated"
#define EVENT_USER_DELETED "purser.user.deleted"
#define EVENT_USER_LOGGED_IN "purser.user.logged_in"
#define EVENT_USER_PASSWORD_CHANGED "purser.user.password_changed"
#define EVENT_ORDER_CREATED "purser.order.created"
#define EVENT_ORDER_PAID "purser.order.paid"
#define EVENT_ORDER_PAYMENT_FAILED "purser.order.payment_failed"
#define EVENT_ORDER_CANCELLED "purser.order.cancelled"
#define EVENT_ORDER_SHIPPED "purser.order.shipped"
#define EVENT_ORDER_DELIVERED "purser.order.delivered"
#define EVENT_PAYMENT_SUCCEEDED "purser.payment.succeeded"
#define EVENT_PAYMENT_FAILED "purser.payment.failed"
#define EVENT_PAYMENT_REFUNDED "purser.payment.refunded"

/* Queues. */
#define EVENT_USER_CREATED "purser.user.created"             /* user.created: {user_id, email} */
#define EVENT_ORDER_PLACED "purser.order.placed"             /* order.created: the order as the API shows it */
#define EVENT_PAYMENT_REQUESTED "purser.payment.requested"   /* payment.request: see payments.h of contracts */
#define EVENT_PAYMENT_PROCESSED "purser.payment.processed"   /* order.payment.processed */
#define EVENT_NOTIFICATION_REQUESTED "purser.notification.requested" /* notifications */
#define EVENT_INVOCATION_REQUESTED "purser.function.invocation_requested"

#endif
