/** The one decisive click: at most one order for it, whatever the network and the finger do. */
import { useRef } from 'react';
import { ApiError, fieldErrors, useIntentKey } from '@purser/api';
import type { Order, OrderCreate, Product } from '@purser/api';
import { useMutation, useQueryClient } from '@purser/ui';
import { repriceBasket } from './basket';
import { createOrder, getProduct } from './requests';

export function usePlaceOrder(onPlaced: (order: Order) => void) {
  const client = useQueryClient();
  const { keyFor, settle } = useIntentKey();
  const busy = useRef(false);
  const task = useMutation({
    mutationFn: (body: OrderCreate) => createOrder(body, keyFor(body)),
    onSuccess: (order) => {
      settle();
      client.setQueryData(['orders', order.id], order);
      // A repeat is answered as the first try was, and events may have been faster: what is shown is read again.
      void client.invalidateQueries({ queryKey: ['orders'] });
      void client.invalidateQueries({ queryKey: ['products'] });
      onPlaced(order);
    },
    onError: async (error, body) => {
      if (isFinal(error)) settle();
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) await reprice(body);
    },
    onSettled: () => {
      busy.current = false;
    },
  });
  const place = (body: OrderCreate) => {
    if (busy.current) return;
    busy.current = true;
    task.mutate(body);
  };
  return { place, error: task.error, isPending: task.isPending, reset: task.reset };
}

/** A refusal ends the intent; a lost answer does not: its repeat must be recognised. */
export function isFinal(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.kind !== 'problem') return false;
  return [400, 403, 404, 415, 422].includes(error.status) || (error.status === 409 && error.retryAfterS === null);
}

async function reprice(body: OrderCreate): Promise<void> {
  const found = await Promise.all(body.items.map(async ({ sku }): Promise<[string, Product | null] | null> => {
    try {
      return [sku, await getProduct(sku)];
    } catch (error) {
      return error instanceof ApiError && error.status === 404 ? [sku, null] : null;
    }
  }));
  repriceBasket(new Map(found.filter((entry) => entry !== null)));
}

/** What the server says about single lines, by sku. */
export function lineErrors(error: unknown, body: OrderCreate | null): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [path, text] of Object.entries(fieldErrors(error))) {
    const index = /^items\.(\d+)/.exec(path)?.[1];
    const sku = index === undefined ? undefined : body?.items[Number(index)]?.sku;
    if (sku !== undefined) found[sku] = text;
  }
  return found;
}
