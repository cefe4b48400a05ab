/** Where it goes. Optional as a whole: an empty form is no address. */
import { TextInput } from '@purser/ui';
import { Grid } from '@purser/ui/pages';

export interface Address { name: string; line1: string; line2: string; city: string; postal_code: string; country: string }

export const NO_ADDRESS: Address = { name: '', line1: '', line2: '', city: '', postal_code: '', country: '' };

const FIELDS: { key: keyof Address; label: string; auto: string; span: number; phone: number; required: boolean; max: number }[] = [
  { key: 'name', label: 'Recipient', auto: 'name', span: 12, phone: 12, required: true, max: 200 },
  { key: 'line1', label: 'Street and number', auto: 'address-line1', span: 12, phone: 12, required: true, max: 200 },
  { key: 'line2', label: 'More (optional)', auto: 'address-line2', span: 12, phone: 12, required: false, max: 200 },
  { key: 'postal_code', label: 'Postal code', auto: 'postal-code', span: 4, phone: 5, required: true, max: 20 },
  { key: 'city', label: 'City', auto: 'address-level2', span: 5, phone: 7, required: true, max: 100 },
  { key: 'country', label: 'Country', auto: 'country', span: 3, phone: 12, required: true, max: 2 },
];

/** The address to send, null for none, or what is missing in a half-filled one. */
export function readAddress(address: Address): { value: Partial<Address> | null; errors: Record<string, string> } {
  const filled = Object.entries(address).map(([key, text]) => [key, text.trim()] as const).filter(([, text]) => text !== '');
  if (filled.length === 0) return { value: null, errors: {} };
  const value = Object.fromEntries(filled) as Partial<Address>;
  const errors: Record<string, string> = {};
  for (const field of FIELDS) if (field.required && value[field.key] === undefined) errors[field.key] = 'Needed for a delivery';
  if (value.country !== undefined) {
    value.country = value.country.toUpperCase();
    if (!/^[A-Z]{2}$/.test(value.country)) errors['country'] = 'Two letters, as in DE';
  }
  return { value, errors };
}

export function AddressForm({ value, errors, onChange }: { value: Address; errors: Record<string, string>; onChange: (value: Address) => void }) {
  return (
    <Grid gap="sm" className="fields">
      {FIELDS.map((field) => (
        <Grid.Col key={field.key} span={{ base: field.phone, xs: field.span }}>
          <TextInput size="sm" label={field.label} autoComplete={`shipping ${field.auto}`} maxLength={field.max} value={value[field.key]}
            error={errors[field.key]} onChange={(event) => onChange({ ...value, [field.key]: event.currentTarget.value })} />
        </Grid.Col>
      ))}
    </Grid>
  );
}
