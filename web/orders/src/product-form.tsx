/** A new product, or a change to one. */
import { api, call, useIntentKey } from '@purser/api';
import type { Product } from '@purser/api';
import { Button, Group, InlineError, Stack, TextInput, useForm, useQueryClient, useSubmit } from '@purser/ui';
import { minorDigits, parseMoney, Textarea } from '@purser/ui/pages';

interface Values { sku: string; name: string; description: string; currency: string; unit_price: string; stock: string }

export function ProductForm({ product, onDone }: { product: Product | null; onDone: () => void }) {
  const client = useQueryClient();
  const { keyFor, settle } = useIntentKey();
  const form = useForm<Values>({ initialValues: initialValues(product), validate: {
    sku: (value) => (/^[A-Za-z0-9._-]{1,64}$/.test(value) ? null : 'Letters, digits, dots and hyphens'),
    name: (value) => (value.trim() === '' ? 'Give it a name' : null),
    currency: (value) => (/^[A-Z]{3}$/.test(value) ? null : 'Three letters, as in EUR'),
    unit_price: (value, values) => (parseMoney(value, values.currency) === null ? 'Enter a price' : null),
    stock: (value) => (/^\d{1,9}$/.test(value) ? null : 'Enter a whole number'),
  } });
  const { props, error, isPending } = useSubmit(form, {
    send: (values) => save(product, values, keyFor(values)),
    done: async () => {
      settle();
      await client.invalidateQueries({ queryKey: ['products'] });
      onDone();
    },
  });
  return (
    <form {...props}>
      <Stack className="fields">
        <TextInput label="Sku" disabled={product !== null} {...form.getInputProps('sku')} />
        <TextInput label="Name" data-autofocus {...form.getInputProps('name')} />
        <Textarea label="Description" autosize minRows={2} {...form.getInputProps('description')} />
        <Group grow align="flex-start">
          <TextInput label="Price" inputMode="decimal" {...form.getInputProps('unit_price')} />
          <TextInput label="Currency" disabled={product !== null} maxLength={3} {...form.getInputProps('currency')} />
          <TextInput label="Stock" inputMode="numeric" {...form.getInputProps('stock')} />
        </Group>
        <Group justify="flex-end"><Button variant="default" onClick={onDone}>Close</Button><Button type="submit" loading={isPending}>Save</Button></Group>
        <InlineError error={error} />
      </Stack>
    </form>
  );
}

function initialValues(product: Product | null): Values {
  if (product === null) return { sku: '', name: '', description: '', currency: 'EUR', unit_price: '', stock: '0' };
  const digits = minorDigits(product.currency);
  return {
    sku: product.sku, name: product.name, description: product.description, currency: product.currency,
    unit_price: (product.unit_price / 10 ** digits).toFixed(digits), stock: String(product.stock),
  };
}

function save(product: Product | null, values: Values, key: string): Promise<Product> {
  const { sku, currency } = values;
  const fields = { name: values.name.trim(), description: values.description, unit_price: parseMoney(values.unit_price, currency) ?? 0, stock: Number(values.stock) };
  if (product === null) return call(api.POST('/api/v1/products', { body: { sku, currency, ...fields }, params: { header: { 'Idempotency-Key': key } } }));
  return call(api.PATCH('/api/v1/products/{sku}', { params: { path: { sku } }, body: changedFields(product, fields) }));
}

/** Only what differs is sent, so that a stale form does not undo a sale's change of stock. */
export function changedFields<T extends Partial<Product>>(product: Product, fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([key, value]) => product[key as keyof Product] !== value)) as Partial<T>;
}
