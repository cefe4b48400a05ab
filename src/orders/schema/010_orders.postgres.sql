-- The catalogue. `id` ascends with time, for lists; nobody outside sees it.
CREATE TABLE products (
    sku TEXT COLLATE "C" PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    unit_price BIGINT NOT NULL CHECK (unit_price BETWEEN 0 AND 9007199254740991),
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    stock BIGINT NOT NULL CHECK (stock >= 0),
    created_at BIGINT NOT NULL
);

-- Items, address and history are JSON as the API shows them. The payment is a copy of the latest one's state at the payment service.
CREATE TABLE orders (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending_payment', 'paid', 'payment_failed', 'cancelled', 'shipped', 'delivered')),
    currency TEXT NOT NULL,
    total BIGINT NOT NULL CHECK (total BETWEEN 1 AND 9007199254740991),
    items TEXT NOT NULL,
    shipping_address TEXT,
    history TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    payment_id uuid NOT NULL,
    payment_method TEXT NOT NULL,
    payment_status TEXT NOT NULL CHECK (payment_status IN ('pending', 'succeeded', 'failed', 'partially_refunded', 'refunded')),
    payment_failure TEXT,
    payment_refunded BIGINT NOT NULL CHECK (payment_refunded BETWEEN 0 AND total),
    payment_created_at BIGINT NOT NULL,
    payment_updated_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX orders_user ON orders (user_id, id);
CREATE INDEX orders_unpaid ON orders (created_at) WHERE status IN ('pending_payment', 'payment_failed');
