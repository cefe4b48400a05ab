/** What somebody means to buy. It lives in the browser, survives reloads and is the same in every tab. */
import { useSyncExternalStore } from 'react';
import type { Product } from '@purser/api';

export interface BasketLine {
  sku: string;
  name: string;
  unit_price: number;
  currency: string;
  quantity: number;
}

const KEY = 'purser.basket';
const MOST = 99;
const EMPTY: BasketLine[] = [];
const listeners = new Set<() => void>();
let lines: BasketLine[] = read();

if (typeof addEventListener === 'function') {
  addEventListener('storage', (event) => {
    if (event.key === KEY) change(read(), false);
  });
}

export function useBasket(): BasketLine[] {
  return useSyncExternalStore(subscribe, () => lines);
}

/** False when the basket holds another currency: an order has one. */
export function addToBasket(product: Product, quantity = 1): boolean {
  if (lines.some((line) => line.currency !== product.currency)) return false;
  const known = lines.find((line) => line.sku === product.sku);
  if (known) {
    setQuantity(product.sku, known.quantity + quantity);
    return true;
  }
  const { sku, name, unit_price, currency } = product;
  change([...lines, { sku, name, unit_price, currency, quantity }]);
  return true;
}

export function setQuantity(sku: string, quantity: number): void {
  const kept = Math.min(Math.max(0, Math.trunc(quantity)), MOST);
  change(lines.map((line) => (line.sku === sku ? { ...line, quantity: kept } : line)).filter((line) => line.quantity > 0));
}

export function clearBasket(): void {
  change(EMPTY);
}

/** Takes over what the catalogue says now; what is no longer there leaves the basket. */
export function repriceBasket(products: Map<string, Product | null>): void {
  change(lines.flatMap((line) => {
    const now = products.get(line.sku);
    if (now === null) return [];
    return [now === undefined ? line : { ...line, name: now.name, unit_price: now.unit_price, currency: now.currency }];
  }));
}

export function basketTotal(basket: BasketLine[]): number {
  return basket.reduce((sum, line) => sum + line.unit_price * line.quantity, 0);
}

export function basketCount(basket: BasketLine[]): number {
  return basket.reduce((sum, line) => sum + line.quantity, 0);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function change(next: BasketLine[], store = true): void {
  lines = next;
  if (store) {
    try {
      localStorage.setItem(KEY, JSON.stringify(lines));
    } catch {
      // Without storage the basket lasts as long as the page.
    }
  }
  for (const listener of listeners) listener();
}

function read(): BasketLine[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(value) ? value.filter(isLine) : EMPTY;
  } catch {
    return EMPTY;
  }
}

function isLine(value: unknown): value is BasketLine {
  const line = value as BasketLine | null;
  return typeof line?.sku === 'string' && typeof line.name === 'string' && typeof line.currency === 'string'
    && Number.isSafeInteger(line.unit_price) && Number.isInteger(line.quantity) && line.quantity > 0;
}
