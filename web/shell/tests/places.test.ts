import { expect, it } from 'vitest';
import { placeOf } from '../src/places';

it.each([
  ['/', 'orders', 'nobody'], ['/sign-in', 'authentication', 'nobody'], ['/account', 'authentication', 'user'], ['/checkout', 'orders', 'user'], ['/orders/x%zz', 'orders', 'user'],
  ['/orders/', 'orders', 'user'], ['/admin/products', 'orders', 'admin'], ['/functions/a', 'functions', 'admin'], ['/operations/ledger', 'operations', 'admin'], ['/notifications', 'notifications', 'user'],
])('%s belongs to %s, for %s', (path, remote, needs) => {
  expect(placeOf(path)).toMatchObject({ remote, needs });
});

it.each(['/nowhere', '/ordersx', '/sign-in/more', '/admin', '//evil'])('%s is no place', (path) => {
  expect(placeOf(path)).toBeNull();
});
