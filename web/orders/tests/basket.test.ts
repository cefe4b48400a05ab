import { beforeEach, expect, it } from 'vitest';
import { renderHook, act } from '@testing-library/react';
import { addToBasket, basketCount, basketTotal, clearBasket, repriceBasket, setQuantity, useBasket } from '../src/basket';
import { product } from '../../testing/data';

beforeEach(clearBasket);
const basket = () => renderHook(useBasket).result;

it('adds up, in whole minor units', () => {
  const held = basket();
  act(() => {
    addToBasket(product(), 3);
    addToBasket(product({ sku: 'TEA', unit_price: 999 }));
  });
  expect(basketTotal(held.current)).toBe(5349);
  expect(basketCount(held.current)).toBe(4);
});

it('holds one currency', () => {
  act(() => void addToBasket(product()));
  expect(addToBasket(product({ sku: 'X', currency: 'USD' }))).toBe(false);
  expect(basket().current).toHaveLength(1);
});

it('limits quantities and drops what is set to none', () => {
  const held = basket();
  act(() => void addToBasket(product()));
  act(() => setQuantity('MUG-01', 500));
  expect(held.current[0]?.quantity).toBe(99);
  act(() => setQuantity('MUG-01', 0));
  expect(held.current).toEqual([]);
});

it('takes over new prices and loses what is gone', () => {
  const held = basket();
  act(() => {
    addToBasket(product());
    addToBasket(product({ sku: 'TEA' }));
    repriceBasket(new Map([['MUG-01', product({ unit_price: 1500 })], ['TEA', null]]));
  });
  expect(held.current).toEqual([expect.objectContaining({ sku: 'MUG-01', unit_price: 1500 })]);
});

it('follows another tab and survives nonsense in storage', () => {
  const held = basket();
  const other = [{ sku: 'LAMP', name: 'Lamp', unit_price: 1, currency: 'EUR', quantity: 2 }];
  act(() => {
    localStorage.setItem('purser.basket', JSON.stringify(other));
    window.dispatchEvent(new StorageEvent('storage', { key: 'purser.basket' }));
  });
  expect(held.current).toEqual(other);
  act(() => {
    localStorage.setItem('purser.basket', '[{"sku":1},null,"x"');
    window.dispatchEvent(new StorageEvent('storage', { key: 'purser.basket' }));
  });
  expect(held.current).toEqual([]);
});
