import { describe, expect, it } from 'vitest';
import { formatMoney, formatRelative, minorDigits, parseMoney } from '@purser/ui/pages';

describe('money', () => {
  it.each([
    [1450, 'EUR', 'en-US', '€14.50'], [1450, 'EUR', 'de-DE', '14,50\u00a0€'], [1450, 'JPY', 'en-US', '¥1,450'], [0, 'USD', 'en-US', '$0.00'], [1234567, 'KWD', 'en-US', 'KWD\u00a01,234.567'],
  ])('%i %s in %s', (minor, currency, locale, want) => {
    expect(formatMoney(minor, currency, locale)).toBe(want);
  });

  it('shows what is no currency without failing', () => {
    expect(formatMoney(100, '??')).toBe('1.00 ??');
  });

  it.each([
    ['14.50', 'EUR', 1450], ['14,5', 'EUR', 1450], ['14', 'EUR', 1400], ['1450', 'JPY', 1450], ['0.29', 'EUR', 29], ['1.1', 'JPY', null], ['1.234', 'EUR', null], ['-1', 'EUR', null], ['', 'EUR', null], ['1e3', 'EUR', null], ['99999999999999', 'EUR', null],
  ])('reads %s %s', (text, currency, want) => {
    expect(parseMoney(text, currency)).toBe(want);
  });

  it('knows the digits', () => {
    expect([minorDigits('EUR'), minorDigits('JPY'), minorDigits('KWD'), minorDigits('??')]).toEqual([2, 0, 3, 2]);
  });
});

describe('time', () => {
  const now = Date.parse('2026-11-28T12:00:00Z');
  it.each([
    ['2026-11-28T11:59:40Z', 'now'], ['2026-11-28T11:57:00Z', '3 minutes ago'], ['2026-11-28T09:30:00Z', '2 hours ago'], ['2026-11-27T11:00:00Z', 'yesterday'], ['nonsense', 'nonsense'],
  ])('%s is %s', (time, want) => {
    expect(formatRelative(time, now)).toBe(want);
  });
});
