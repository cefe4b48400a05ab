/** The server writes amounts as "1,234.50 EUR"; the reader sees them as their own language writes them. */
import { formatMoney, minorDigits } from '@purser/ui/pages';

const CURRENCIES = new Set(Intl.supportedValuesOf('currency'));
const AMOUNT = /(?<![\w.,])(\d{1,13}|\d{1,3}(?:,\d{3}){1,4})(?:\.(\d+))? ([A-Z]{3})(?!\w)/g;

/** The text with its amounts in the locale's form, by default the browser's; what is no amount of a known currency stays. */
export function localizeMoney(text: string, locale?: string): string {
  return text.replace(AMOUNT, (found: string, whole: string, fraction: string | undefined, currency: string) => {
    const decimals = fraction ?? '';
    if (!CURRENCIES.has(currency) || decimals.length !== minorDigits(currency)) return found;
    const minor = Number(whole.replaceAll(',', '') + decimals);
    return Number.isSafeInteger(minor) ? formatMoney(minor, currency, locale) : found;
  });
}
