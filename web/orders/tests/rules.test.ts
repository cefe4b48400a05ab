import { describe, expect, it } from 'vitest';
import { ApiError } from '@purser/api';
import { order, payment, product } from '../../testing/data';
import { NO_ADDRESS, readAddress } from '../src/address-form';
import { matches } from '../src/catalogue-page';
import { isFinal, lineErrors } from '../src/place-order';
import { changedFields } from '../src/product-form';
import { canCancel, canRefund, failureText, isId, timeline } from '../src/rules';

const at = '2026-11-28T19:30:00.000Z';
const states = (one: Parameters<typeof timeline>[0]) => timeline(one).map((step) => `${step.status}:${step.state}`);

describe('timeline', () => {
  it('shows what is still to come', () => {
    expect(states(order({ status: 'pending_payment', history: [{ status: 'pending_payment', at }] }))).toEqual(['pending_payment:now', 'paid:ahead', 'shipped:ahead', 'delivered:ahead']);
    expect(states(order())).toEqual(['pending_payment:done', 'paid:done', 'shipped:ahead', 'delivered:ahead']);
  });

  it('tells a failure and what follows', () => {
    const history = [{ status: 'pending_payment' as const, at }, { status: 'payment_failed' as const, at, reason: 'card_declined' }];
    expect(states(order({ status: 'payment_failed', history }))).toEqual(['pending_payment:done', 'payment_failed:bad', 'paid:ahead', 'shipped:ahead', 'delivered:ahead']);
    const again = [...history, { status: 'pending_payment' as const, at }];
    expect(states(order({ status: 'pending_payment', history: again }))[2]).toBe('pending_payment:now');
  });

  it('ends with a cancellation', () => {
    expect(states(order({ status: 'cancelled', history: [{ status: 'pending_payment', at }, { status: 'cancelled', at }] }))).toEqual(['pending_payment:done', 'cancelled:bad']);
  });
});

describe('what may be done', () => {
  it('cancels until it is shipped', () => {
    expect((['pending_payment', 'payment_failed', 'paid', 'shipped', 'delivered', 'cancelled'] as const).map(canCancel)).toEqual([true, true, true, false, false, false]);
  });

  it('refunds what was captured and not yet given back', () => {
    expect(canRefund(null)).toBe(false);
    expect(canRefund(payment())).toBe(true);
    expect(canRefund(payment({ status: 'partially_refunded', refunded_amount: 1 }))).toBe(true);
    expect(canRefund(payment({ status: 'refunded', refunded_amount: 2900 }))).toBe(false);
    expect(canRefund(payment({ status: 'failed' }))).toBe(false);
  });

  it('puts failures into words', () => {
    expect(failureText('insufficient_funds')).toBe('There are not enough funds on the card.');
    expect(failureText('odd_code')).toContain('odd code');
    expect(failureText(null)).toBe('The payment did not go through.');
  });

  it('knows an id', () => {
    expect(isId('01932f50-02ab-7c11-8a3e-9d1b2c3d4e5f')).toBe(true);
    expect(isId('../../etc')).toBe(false);
    expect(isId(undefined)).toBe(false);
  });
});

describe('an address', () => {
  it('may be left out as a whole', () => {
    expect(readAddress(NO_ADDRESS)).toEqual({ value: null, errors: {} });
  });

  it('is complete or complained about', () => {
    expect(Object.keys(readAddress({ ...NO_ADDRESS, city: 'Kiel' }).errors)).toEqual(['name', 'line1', 'postal_code', 'country']);
    const whole = { ...NO_ADDRESS, name: 'Ada', line1: 'Quay 1', city: 'Kiel', postal_code: '24103', country: 'de' };
    expect(readAddress(whole)).toEqual({ value: { name: 'Ada', line1: 'Quay 1', city: 'Kiel', postal_code: '24103', country: 'DE' }, errors: {} });
    expect(readAddress({ ...whole, country: 'Germany' }).errors['country']).toContain('Two letters');
  });
});

describe('the end of an intent', () => {
  const error = (status: number, retry: number | null = null) => new ApiError('problem', status, null, retry);
  it('keeps the key for a lost answer, drops it after a refusal', () => {
    expect(isFinal(new ApiError('network', 0, null))).toBe(false);
    expect(isFinal(new ApiError('timeout', 0, null))).toBe(false);
    expect(isFinal(error(503))).toBe(false);
    expect(isFinal(error(429, 3))).toBe(false);
    expect(isFinal(error(409, 1))).toBe(false);
    expect(isFinal(error(409))).toBe(true);
    expect(isFinal(error(422))).toBe(true);
  });
});

it('finds by words in any order', () => {
  expect(matches(product(), 'mug stone')).toBe(true);
  expect(matches(product(), 'lamp')).toBe(false);
  expect(matches(product(), '')).toBe(true);
});

it('sends only what changed of a product', () => {
  expect(changedFields(product(), { name: 'Stoneware mug', unit_price: 1500 })).toEqual({ unit_price: 1500 });
});

it('says at which line something is wrong', () => {
  const error = new ApiError('problem', 409, { type: '/problems/out-of-stock', title: 'x', status: 409, request_id: 'r', errors: [{ pointer: '/items/1/quantity', detail: 'only 1 is left' }] });
  const body = { items: [{ sku: 'a', quantity: 1 }, { sku: 'b', quantity: 2 }], payment_method: 'x' };
  expect(lineErrors(error, body)).toEqual({ b: 'Only 1 is left' });
});
