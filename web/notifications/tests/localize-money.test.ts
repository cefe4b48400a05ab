import { expect, it } from 'vitest';
import { localizeMoney } from '../src/localize-money';

const NBSP = '\u00a0';

it.each([
  ['Your payment of 29.00 EUR has arrived.', 'de-DE', `Your payment of 29,00${NBSP}€ has arrived.`],
  ['Your payment of 29.00 EUR has arrived.', 'en-US', 'Your payment of €29.00 has arrived.'],
  ['2 × Lamp: 1,178.00 EUR\nTotal: 1,178.00 EUR', 'de-DE', `2 × Lamp: 1.178,00${NBSP}€\nTotal: 1.178,00${NBSP}€`],
  ['1178.00 USD', 'en-US', '$1,178.00'],
  ['We returned 1450 JPY to you.', 'en-US', 'We returned ¥1,450 to you.'],
  ['1.234 KWD, all of it', 'en-US', `KWD${NBSP}1.234, all of it`],
  ['12,345,678.90 EUR', 'en-US', '€12,345,678.90'],
  ['Wasn’t that 0.00 EUR?', 'en-US', 'Wasn’t that €0.00?'],
])('%j in %s', (text, locale, want) => {
  expect(localizeMoney(text, locale)).toBe(want);
});

it.each([
  '5 USB sticks', '5 EUR', '5.0 EUR', '5.000 EUR', '1.50 JPY', '12.34 XQQ', '12.34 EURO', '12.34 eur', 'v1.12.34 EUR', 'A12.34 EUR',
  '1,23.45 EUR', '12.34', 'EUR', '', '99999999999999.00 EUR', '9,999,999,999,999,999.00 EUR',
])('leaves %j as it is', (text) => {
  expect(localizeMoney(text, 'de-DE')).toBe(text);
});
