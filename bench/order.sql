-- What one order makes the services do in PostgreSQL, as a script for pgbench: each transaction in a pipeline of its own, nothing
-- batched, on the tables that the cluster has just used. :n counts a client's orders, so that ids ascend as ours do.
\set n :n + 1
\set id (:client_id + 1) * 1000000000 + :n
\set sku random(0, 99)
\set user random(0, :users - 1)
\set other :id + 500000000
\set now 1800000000000 + :n

-- orders: the order
\startpipeline
BEGIN;
INSERT INTO orders.idempotency (scope, key, hash, created_at) VALUES (lpad(to_hex(:user::bigint), 32, '0'), :id::text, repeat('h', 64), :now) ON CONFLICT DO NOTHING;
UPDATE orders.products SET stock = stock - 1 WHERE sku = 'SKU-' || lpad(:sku::text, 3, '0') AND stock >= 1 RETURNING name, unit_price, currency;
INSERT INTO orders.orders (id, user_id, status, currency, total, items, history, sequence, payment_id, payment_method, payment_status, payment_refunded, payment_created_at, payment_updated_at, created_at, updated_at) VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, lpad(to_hex(:user::bigint), 32, '0')::uuid, 'pending_payment', 'EUR', 1450, repeat('i', 120), repeat('h', 80), 1, lpad(to_hex(:id::bigint), 32, '0')::uuid, 'pm_card_visa', 'pending', 0, :now, :now, :now, :now);
INSERT INTO orders.outbox_queue (id, lane, destination, key, event_id, correlation_id, reply_to, traceparent, body, created_at) VALUES (:id, 1, 'payment.request', :user::text, :id::text, :id::text, 'order.payment.processed', repeat('t', 55), repeat('b', 400), :now);
INSERT INTO orders.outbox_stream (id, lane, destination, key, event_id, traceparent, body, created_at) VALUES (:id, 1, 'order.events', :user::text, :id::text, repeat('t', 55), repeat('b', 700), :now);
UPDATE orders.idempotency SET status = 201, body = repeat('b', 600), content_type = 'application/json', location = repeat('l', 50) WHERE scope = lpad(to_hex(:user::bigint), 32, '0') AND key = :id::text;
COMMIT;
\endpipeline

-- the relays: what was sent is deleted
\startpipeline
DELETE FROM orders.outbox_queue WHERE id = :id;
DELETE FROM orders.outbox_stream WHERE id = :id;
\endpipeline

-- payments: the attempt
\startpipeline
BEGIN;
INSERT INTO payments.inbox (event_id, consumer, received_at) VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, 'payments', :now) ON CONFLICT DO NOTHING;
INSERT INTO payments.payments (id, order_id, user_id, amount, currency, method, status, refunded, settled, attempts, is_unknown, due_at, sequence, created_at, updated_at) VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, lpad(to_hex(:id::bigint), 32, '0')::uuid, lpad(to_hex(:user::bigint), 32, '0')::uuid, 1450, 'EUR', 'pm_card_visa', 'pending', 0, 0, 1, 0, :now, 0, :now, :now) ON CONFLICT (id) DO NOTHING;
COMMIT;
\endpipeline

-- payments: its outcome
\startpipeline
BEGIN;
UPDATE payments.payments SET status = 'succeeded', provider_ref = 'ch_' || :id::text, is_unknown = 0, due_at = NULL, sequence = sequence + 1, updated_at = :now WHERE id = lpad(to_hex(:id::bigint), 32, '0')::uuid AND status = 'pending' RETURNING id, order_id, user_id, amount, currency, method, status, provider_ref, sequence;
INSERT INTO payments.ledger_entries (transaction_id, account, currency, amount, created_at) VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, 'captured', 'EUR', -1450, :now), (lpad(to_hex(:id::bigint), 32, '0')::uuid, 'provider', 'EUR', 1450, :now);
INSERT INTO payments.outbox_queue (id, lane, destination, key, event_id, correlation_id, traceparent, body, created_at) VALUES (:id, 1, 'order.payment.processed', :user::text, :id::text, :id::text, repeat('t', 55), repeat('b', 400), :now);
INSERT INTO payments.outbox_stream (id, lane, destination, key, event_id, traceparent, body, created_at) VALUES (:id, 1, 'payment.events', :user::text, :id::text, repeat('t', 55), repeat('b', 500), :now);
COMMIT;
\endpipeline

-- payments: the provider's own word of it, and the relays
\startpipeline
BEGIN;
INSERT INTO payments.provider_events (provider, id, body, received_at) VALUES ('sandbox', :id::text, repeat('b', 300), :now) ON CONFLICT (provider, id) DO NOTHING;
SELECT id, order_id, user_id, amount, currency, method, status, failure_code, provider_ref, refunded, settled, attempts FROM payments.payments WHERE id = lpad(to_hex(:id::bigint), 32, '0')::uuid;
COMMIT;
DELETE FROM payments.outbox_queue WHERE id = :id;
DELETE FROM payments.outbox_stream WHERE id = :id;
\endpipeline

-- orders: the step to `paid`
\startpipeline
BEGIN;
INSERT INTO orders.inbox (event_id, consumer, received_at) VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, 'orders', :now) ON CONFLICT DO NOTHING;
SELECT id, user_id, status, currency, total, items, shipping_address, history, sequence, payment_id, payment_status FROM orders.orders WHERE id = lpad(to_hex(:id::bigint), 32, '0')::uuid FOR UPDATE;
UPDATE orders.orders SET status = 'paid', history = repeat('h', 160), sequence = 2, payment_status = 'succeeded', payment_updated_at = :now, updated_at = :now WHERE id = lpad(to_hex(:id::bigint), 32, '0')::uuid;
INSERT INTO orders.outbox_stream (id, lane, destination, key, event_id, traceparent, body, created_at) VALUES (:other, 1, 'order.events', :user::text, :other::text, repeat('t', 55), repeat('b', 700), :now);
COMMIT;
DELETE FROM orders.outbox_stream WHERE id = :other;
\endpipeline

-- notifications: received, and paid
\startpipeline
BEGIN;
INSERT INTO notifications.inbox (event_id, consumer, received_at) VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, 'notifications', :now) ON CONFLICT DO NOTHING;
INSERT INTO notifications.recipients (user_id, last_seq) VALUES (lpad(to_hex(:user::bigint), 32, '0')::uuid, 1) ON CONFLICT (user_id) DO UPDATE SET last_seq = recipients.last_seq + 1 WHERE recipients.deleted = 0 RETURNING last_seq;
INSERT INTO notifications.notifications (id, user_id, seq, event_id, type, title, body, data, created_at) VALUES (lpad(to_hex(:id::bigint), 32, '0')::uuid, lpad(to_hex(:user::bigint), 32, '0')::uuid, :id, lpad(to_hex(:id::bigint), 32, '0')::uuid, 'order.created', repeat('t', 20), repeat('b', 60), repeat('d', 120), :now);
COMMIT;
\endpipeline
\startpipeline
BEGIN;
INSERT INTO notifications.inbox (event_id, consumer, received_at) VALUES (lpad(to_hex(:other::bigint), 32, '0')::uuid, 'notifications', :now) ON CONFLICT DO NOTHING;
INSERT INTO notifications.recipients (user_id, last_seq) VALUES (lpad(to_hex(:user::bigint), 32, '0')::uuid, 1) ON CONFLICT (user_id) DO UPDATE SET last_seq = recipients.last_seq + 1 WHERE recipients.deleted = 0 RETURNING last_seq;
INSERT INTO notifications.notifications (id, user_id, seq, event_id, type, title, body, data, created_at) VALUES (lpad(to_hex(:other::bigint), 32, '0')::uuid, lpad(to_hex(:user::bigint), 32, '0')::uuid, :other, lpad(to_hex(:other::bigint), 32, '0')::uuid, 'order.paid', repeat('t', 20), repeat('b', 60), repeat('d', 120), :now);
COMMIT;
\endpipeline
