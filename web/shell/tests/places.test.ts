import { expect, it } from 'vitest';
import { placeOf } from '../src/places';

it.each([
  ['/', 'orders', 'nobody', 'The shop'], ['/basket', 'orders', 'nobody', 'Basket'], ['/products/a', 'orders', 'nobody', 'Product'],
  ['/sign-in', 'authentication', 'nobody', 'Sign in'], ['/register', 'authentication', 'nobody', 'Register'], ['/account', 'authentication', 'user', 'Account'],
  ['/checkout', 'orders', 'user', 'Checkout'], ['/orders', 'orders', 'user', 'Orders'], ['/orders/', 'orders', 'user', 'Orders'], ['/orders/x%zz', 'orders', 'user', 'Order'],
  ['/admin/products', 'orders', 'admin', 'Products'], ['/admin/users', 'authentication', 'admin', 'Users'], ['/admin/users/x', 'authentication', 'admin', 'User'],
  ['/functions', 'functions', 'admin', 'Functions'], ['/functions/new', 'functions', 'admin', 'New function'], ['/functions/a', 'functions', 'admin', 'Function'],
  ['/operations', 'operations', 'admin', 'Operations'], ['/operations/dead-letters', 'operations', 'admin', 'Dead letters'],
  ['/operations/ledger', 'operations', 'admin', 'Ledger'], ['/notifications', 'notifications', 'user', 'Notifications'],
])('%s belongs to %s, for %s, and is called %s', (path, remote, needs, title) => {
  expect(placeOf(path)).toEqual({ remote, needs, title });
});

it.each(['/nowhere', '/ordersx', '/sign-in/more', '/admin', '//evil'])('%s is no place', (path) => {
  expect(placeOf(path)).toBeNull();
});
