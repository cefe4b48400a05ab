import { expect, it } from 'vitest';
import { changed } from '../src/profile-form';
import { deviceName, emailProblem, passwordProblem, safeNext } from '../src/rules';
import { user } from '../../testing/data';

it.each([['a@b.co', true], [' a@b.co ', true], ['a@b', false], ['', false], ['a b@c.de', false]])('%j as an email', (email, fine) => {
  expect(emailProblem(email) === null).toBe(fine);
});

it('measures passwords', () => {
  expect(passwordProblem('short')).toMatch(/at least 8/);
  expect(passwordProblem('x'.repeat(257))).toMatch(/at most 256/);
  expect(passwordProblem('a fine sentence')).toBeNull();
});

it.each([
  [null, '/'], ['/orders/1?x=2', '/orders/1?x=2'], ['//evil.example', '/'], ['/\\evil.example', '/'], ['https://evil.example', '/'], ['javascript:alert(1)', '/'], ['/sign-in', '/'], ['', '/'],
])('after signing in, %s leads to %s', (next, want) => {
  expect(safeNext(next)).toBe(want);
});

it('names devices', () => {
  expect(deviceName('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')).toBe('Firefox on Linux');
  expect(deviceName('Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36')).toBe('Chrome on macOS');
  expect(deviceName('curl/8.0')).toBe('curl/8.0');
  expect(deviceName(null)).toBe('Unknown device');
});

it('sends only what changed of a profile', () => {
  expect(changed(user, { name: ' Ada ', email: user.email })).toEqual({});
  expect(changed(user, { name: 'Ada K', email: user.email })).toEqual({ name: 'Ada K' });
});
