-- The catalogue. `id` ascends with time, for lists; nobody outside sees it.
CREATE TABLE products (
    sku TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    unit_price INTEGER NOT NULL CHECK (unit_price BETWEEN 0 AND 9007199254740991),
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    stock INTEGER NOT NULL CHECK (stock >= 0),
    created_at INTEGER NOT NULL
) STRICT;

-- Items, address and history are JSON as the API shows them. The payment is a copy of the latest one's state at the payment service.
CREATE TABLE orders (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending_payment', 'paid', 'payment_failed', 'cancelled', 'shipped', 'delivered')),
    currency TEXT NOT NULL,
    total INTEGER NOT NULL CHECK (total BETWEEN 1 AND 9007199254740991),
    items TEXT NOT NULL,
    shipping_address TEXT,
    history TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    payment_id TEXT NOT NULL,
    payment_method TEXT NOT NULL,
    payment_status TEXT NOT NULL CHECK (payment_status IN ('pending', 'succeeded', 'failed', 'partially_refunded', 'refunded')),
    payment_failure TEXT,
    payment_refunded INTEGER NOT NULL CHECK (payment_refunded BETWEEN 0 AND total),
    payment_created_at INTEGER NOT NULL,
    payment_updated_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX orders_user ON orders (user_id, id);
CREATE INDEX orders_unpaid ON orders (created_at) WHERE status IN ('pending_payment', 'payment_failed');
