/** Every call of the shop, with its place in the query cache. */
import { api, call } from '@purser/api';
import type { Order, OrderCreate, OrderStatus, Product } from '@purser/api';
import { useLiveConnection } from '@purser/live';
import { useQuery, useQueryClient } from '@purser/ui';
import { keepPreviousData, useInfiniteQuery } from '@purser/ui/pages';

const CALM_POLL_MS = 5000;
const EAGER_POLL_MS = 2000;

export function useProducts() {
  return useInfiniteQuery({
    queryKey: ['products'],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => call(api.GET('/api/v1/products', { params: { query: { limit: 48, cursor: pageParam } } })),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
}

export function useProduct(sku: string) {
  return useQuery({ queryKey: ['products', sku], queryFn: () => getProduct(sku) });
}

export function getProduct(sku: string): Promise<Product> {
  return call(api.GET('/api/v1/products/{sku}', { params: { path: { sku } } }));
}

export function useOrders(status: OrderStatus | undefined) {
  return useInfiniteQuery({
    queryKey: ['orders', 'list', status ?? 'all'],
    initialPageParam: undefined as string | undefined,
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam }) => call(api.GET('/api/v1/orders', { params: { query: { limit: 20, cursor: pageParam, status } } })),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
}

/** An order that keeps itself true: by events, and by asking where events may be late. */
export function useOrder(id: string, enabled: boolean) {
  const live = useLiveConnection() === 'open';
  return useQuery({
    queryKey: ['orders', id],
    enabled,
    queryFn: () => call(api.GET('/api/v1/orders/{id}', { params: { path: { id } } })),
    refetchInterval: (query) => {
      const order = query.state.data as Order | undefined;
      if (order?.status !== 'pending_payment' && order?.payment?.status !== 'pending') return false;
      return live ? CALM_POLL_MS : EAGER_POLL_MS;
    },
  });
}

export function useOrderPayments(orderId: string, enabled: boolean) {
  return useQuery({
    queryKey: ['payments', orderId],
    enabled,
    queryFn: () => call(api.GET('/api/v1/payments', { params: { query: { order_id: orderId, limit: 20 } } })),
  });
}

export function createOrder(body: OrderCreate, key: string): Promise<Order> {
  return call(api.POST('/api/v1/orders', { body, params: { header: { 'Idempotency-Key': key } } }));
}

export function payOrder(id: string, payment_method: string, key: string) {
  return call(api.POST('/api/v1/orders/{id}/payments', {
    body: { payment_method }, params: { path: { id }, header: { 'Idempotency-Key': key } },
  }));
}

export function moveOrder(id: string, step: 'cancel' | 'ship' | 'deliver', key: string): Promise<Order> {
  const params = { path: { id }, header: { 'Idempotency-Key': key } };
  if (step === 'cancel') return call(api.POST('/api/v1/orders/{id}/cancel', { params }));
  if (step === 'ship') return call(api.POST('/api/v1/orders/{id}/ship', { params }));
  return call(api.POST('/api/v1/orders/{id}/deliver', { params }));
}

export function refundPayment(id: string, amount: number, key: string) {
  return call(api.POST('/api/v1/payments/{id}/refunds', {
    body: { amount }, params: { path: { id }, header: { 'Idempotency-Key': key } },
  }));
}

/** After a change of our own: what is on the screen is read again. */
export function useRefreshOrders(): () => Promise<void> {
  const client = useQueryClient();
  return async () => {
    await Promise.all([
      client.invalidateQueries({ queryKey: ['orders'] }),
      client.invalidateQueries({ queryKey: ['payments'] }),
    ]);
  };
}
