/*
 * Every setting: X(name, TYPE, default, min, max, reloadable, "doc").
 * TEXT, NUMBER, DURATION (min and max in ms), FLAG, RATE (count/period or off). The environment variable is PURSER_ and
 * the name in upper case; the flag is -- and the name with dashes.
 */
#ifndef PURSER_BASE_SETTINGS_TABLE_H
#define PURSER_BASE_SETTINGS_TABLE_H

#define SETTINGS_TABLE(X)                                                                                               \
    X(listen, TEXT, "127.0.0.1:3000", 0, 0, 0, "address of the gateway")                                                \
    X(users_listen, TEXT, "127.0.0.1:3001", 0, 0, 0, "address of the user service when it runs apart")                  \
    X(orders_listen, TEXT, "127.0.0.1:3002", 0, 0, 0, "address of the order service when it runs apart")                \
    X(notifications_listen, TEXT, "127.0.0.1:3003", 0, 0, 0, "address of the notification service when it runs apart")  \
    X(payments_listen, TEXT, "127.0.0.1:3004", 0, 0, 0, "address of the payment service when it runs apart")            \
    X(functions_listen, TEXT, "127.0.0.1:3005", 0, 0, 0, "address of the function service when it runs apart")          \
    X(sandbox_listen, TEXT, "127.0.0.1:3006", 0, 0, 0, "address of the sandbox provider when it runs apart")            \
    X(users_url, TEXT, "", 0, 0, 1, "where the user service is: list of http://host:port; empty: in this process")      \
    X(orders_url, TEXT, "", 0, 0, 1, "where the order service is; empty: in this process")                              \
    X(payments_url, TEXT, "", 0, 0, 1, "where the payment service is; empty: in this process")                          \
    X(notifications_url, TEXT, "", 0, 0, 1, "where the notification service is; empty: in this process")                \
    X(functions_url, TEXT, "", 0, 0, 1, "where the function service is; empty: in this process")                        \
    X(config, TEXT, "", 0, 0, 0, "a file of KEY=value, read again at SIGHUP")                                           \
    X(data, TEXT, "./data", 0, 0, 0, "folder of the embedded engine's files")                                           \
    X(database_url, TEXT, "sqlite:", 0, 0, 0, "sqlite: or postgres://…")                                                \
    X(queue_url, TEXT, "embedded:", 0, 0, 0, "embedded: or amqp://…")                                                   \
    X(stream_url, TEXT, "embedded:", 0, 0, 0, "embedded: or kafka://host:port,…")                                       \
    X(cache_url, TEXT, "embedded:", 0, 0, 0, "embedded: or redis://…")                                                  \
    X(admin_listen, TEXT, "127.0.0.1:3100", 0, 0, 0, "address of metrics and health; off")                              \
    X(control, TEXT, "", 0, 0, 0, "control socket; empty: control.sock in the data folder")                             \
    X(workers, NUMBER, "0", 0, 64, 0, "event-loop threads; 0: number of cores")                                         \
    X(demo, FLAG, "off", 0, 0, 0, "a small catalogue and an admin whose password is printed at first start")            \
    X(admin_password, TEXT, "", 0, 0, 0, "password for `purser admin create` instead of asking")                        \
    X(internal_secret, TEXT, "", 0, 0, 0, "services apart refuse requests that are not signed with it")                 \
    X(key_secret, TEXT, "", 0, 0, 0, "seals private keys in the database; empty: a file in the data folder")            \
    X(key_lead, DURATION, "60s", 0, 86400000, 1, "a new signing key is published so long before it signs")              \
    X(order_expiry, DURATION, "30m", 1000, 2592000000, 1, "unpaid orders are cancelled after it")                       \
    X(payment_provider_url, TEXT, "sandbox:", 0, 0, 0, "sandbox: in this process, or http://… of a sandbox apart")      \
    X(payment_timeout, DURATION, "5s", 100, 60000, 1, "wait for a provider's answer before an attempt is unknown")      \
    X(payment_reconcile, DURATION, "30s", 100, 3600000, 1, "age at which an unknown attempt is asked for")              \
    X(callback_url, TEXT, "", 0, 0, 0, "where the sandbox sends its callbacks; empty: in this process")                 \
    X(callback_secret, TEXT, "purser-sandbox", 0, 0, 0, "signs the sandbox's callbacks (HMAC-SHA-256)")                 \
    X(pricing_function, TEXT, "", 0, 0, 1, "function that is asked for the total of an order; empty: sum of its lines") \
    X(functions, FLAG, "on", 0, 0, 0, "whether a function service belongs to this system")                              \
    X(function_host, TEXT, "", 0, 0, 0, "the executable that runs functions; empty: purser-function-host beside this one")\
    X(function_processes, NUMBER, "32", 1, 500, 0, "processes of all functions at once")                                \
    X(function_queue, NUMBER, "1000", 1, 100000, 0, "calls that may wait for one function, then 429")                   \
    X(function_wait, DURATION, "5s", 10, 30000, 0, "longest wait of a call for its process, then 429")                  \
    X(function_cgroup, TEXT, "", 0, 0, 0, "folder for functions' memory cgroups; empty: in our own cgroup if it may be written; off")\
    X(function_idle, DURATION, "60s", 100, 86400000, 0, "a process that was not used for so long ends")                 \
    X(web, TEXT, "", 0, 0, 0, "folder of the built web app; empty: build/web beside the executable; off")               \
    X(cors_origins, TEXT, "", 0, 0, 1, "comma-separated origins that may call from a browser")                          \
    X(trusted_proxies, TEXT, "", 0, 0, 1, "comma-separated addresses or networks whose X-Forwarded-For counts")         \
    X(rate_limit_ip, RATE, "100/10s", 0, 0, 1, "requests per address, or off")                                          \
    X(rate_limit_user, RATE, "200/10s", 0, 0, 1, "requests per user, or off")                                           \
    X(rate_limit_login, RATE, "10/60s", 0, 0, 1, "logins per address, and per address and email, or off")               \
    X(rate_limit_callback, RATE, "10000/10s", 0, 0, 1, "callbacks of payment providers per address, or off")            \
    X(log_level, TEXT, "info", 0, 0, 1, "debug, info, warn, error")                                                     \
    X(issuer, TEXT, "purser", 0, 0, 0, "iss and aud of access tokens")                                                  \
    X(access_token_ttl, DURATION, "15m", 1000, 86400000, 1, "life of an access token")                                  \
    X(session_ttl, DURATION, "720h", 1000, 31536000000, 1, "life of a session that is not used")                        \
    X(head_timeout, DURATION, "10s", 100, 60000, 1, "a request head must be whole within it")                           \
    X(request_timeout, DURATION, "30s", 100, 300000, 1, "a service answers within it")                                  \
    X(drain_accept, DURATION, "2s", 0, 60000, 1, "connections are taken for so long after SIGTERM, while balancers notice") \
    X(max_body, NUMBER, "1048576", 1024, 67108864, 1, "bytes of a request body")                                        \
    X(max_in_flight, NUMBER, "512", 1, 100000, 1, "requests at work at once per event-loop thread, then 503")           \
    X(max_connections, NUMBER, "20000", 16, 1000000, 1, "open client connections per event-loop thread")                \
    X(ping_interval, DURATION, "25s", 100, 600000, 1, "between pings on a WebSocket")                                   \
    X(admission_delay, DURATION, "1s", 0, 60000, 1, "orders are refused while open ones would take longer; 0s: never")    \
    X(retry_base, DURATION, "1s", 10, 600000, 1, "first pause before a failed message is tried again; doubles")         \
    X(retry_limit, NUMBER, "5", 1, 20, 1, "attempts before a message is a dead letter")

#endif
