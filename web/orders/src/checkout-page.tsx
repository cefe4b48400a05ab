/** Address, payment, and the one button that counts. */
import { useState } from 'react';
import { ApiError, fieldErrors } from '@purser/api';
import type { OrderCreate } from '@purser/api';
import { Alert, Button, Card, EmptyState, Group, Icon, InlineError, Link, Page, PageHeader, Stack, Text, Title, useFirstWrong, useNavigate } from '@purser/ui';
import { Divider, Grid, formatMoney } from '@purser/ui/pages';
import { AddressForm, NO_ADDRESS, readAddress } from './address-form';
import { basketTotal, clearBasket, useBasket } from './basket';
import type { BasketLine } from './basket';
import { useDraft } from './draft';
import { LineThumb } from './line-thumb';
import { PaymentMethodPicker } from './payment-method-picker';
import { lineErrors, usePlaceOrder } from './place-order';
import { PAYMENT_METHODS } from './rules';

export function CheckoutPage() {
  const basket = useBasket();
  const navigate = useNavigate();
  const [draft, change, clearDraft] = useDraft('purser.checkout', { method: PAYMENT_METHODS[0]!.value, address: NO_ADDRESS });
  const [addressErrors, setAddressErrors] = useState<Record<string, string>>({});
  const [sent, setSent] = useState<OrderCreate | null>(null);
  const { place, error, isPending } = usePlaceOrder((order) => {
    navigate(`/orders/${order.id}`, { replace: true });
    clearBasket();
    clearDraft();
  });
  const [address, refused] = useFirstWrong<HTMLDivElement>(error); // on a phone it is far from the button
  const currency = basket[0]?.currency;
  if (currency === undefined) {
    return <Page size="sm"><PageHeader title="Checkout" /><Card><EmptyState icon="basket" title="Your basket is empty" action={<Button component={Link} to="/">To the shop</Button>} /></Card></Page>;
  }
  const total = basketTotal(basket);
  const pay = () => {
    const { value, errors } = readAddress(draft.address);
    setAddressErrors(errors);
    if (Object.keys(errors).length > 0) return refused();
    const body: OrderCreate = {
      items: basket.map(({ sku, quantity }) => ({ sku, quantity })),
      payment_method: draft.method,
      expected_total: total,
      ...(value === null ? {} : { shipping_address: value as NonNullable<OrderCreate['shipping_address']> }),
    };
    setSent(body);
    place(body);
  };
  const serverErrors = addressProblems(error);
  return (
    <Page>
      <PageHeader title="Checkout" />
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, md: 7 }}>
          <Stack>
            <Card ref={address}><Stack><Title order={2}>Delivery</Title><AddressForm value={draft.address} errors={{ ...serverErrors, ...addressErrors }} onChange={(address) => change({ address })} /></Stack></Card>
            <Card><Stack><Title order={2}>Payment</Title><PaymentMethodPicker value={draft.method} onChange={(method) => change({ method })} /></Stack></Card>
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 5 }}>
          <Card pos={{ md: 'sticky' }} top={{ md: 84 }}>
            <Stack>
              <Title order={2}>Your order</Title>
              <Lines basket={basket} errors={lineErrors(error, sent)} />
              <Divider />
              <Group justify="space-between"><Text fw={650}>Total</Text><Text fw={720} fz="xl" className="numeric">{formatMoney(total, currency)}</Text></Group>
              <Button size="lg" loading={isPending} onClick={pay}>Pay {formatMoney(total, currency)}</Button>
              <Text size="xs" c="dimmed" ta="center">This is a sandbox: no real money moves.</Text>
              <Refusal error={error} before={sent?.expected_total} currency={currency} />
            </Stack>
          </Card>
        </Grid.Col>
      </Grid>
    </Page>
  );
}

function Lines({ basket, errors }: { basket: BasketLine[]; errors: Record<string, string> }) {
  return (
    <Stack gap="sm">
      {basket.map((line) => (
        <Stack key={line.sku} gap={2}>
          <Group justify="space-between" wrap="nowrap">
            <Group gap="sm" wrap="nowrap" miw={0}><LineThumb sku={line.sku} /><Text lineClamp={2}>{line.quantity} × {line.name}</Text></Group>
            <Text className="numeric" style={{ whiteSpace: 'nowrap' }}>{formatMoney(line.unit_price * line.quantity, line.currency)}</Text>
          </Group>
          {errors[line.sku] !== undefined && <Text size="sm" c="var(--mantine-color-error)" role="alert">{errors[line.sku]}</Text>}
        </Stack>
      ))}
      <Text size="sm"><Link to="/basket" style={{ color: 'var(--mantine-color-anchor)' }}>Change the basket</Link></Text>
    </Stack>
  );
}

/** What is said at no field. */
function Refusal({ error, before, currency }: { error: unknown; before: number | undefined; currency: string }) {
  const paths = Object.keys(fieldErrors(error));
  if (paths.length > 0 && paths.length === Object.keys(addressProblems(error)).length) return null;
  if (!(error instanceof ApiError)) return <InlineError error={error} />;
  if (error.code === 'price-changed') {
    const now = error.problem?.total;
    return (
      <Alert color="brass" icon={<Icon name="alert" />} title="The price has changed" role="alert">
        {before !== undefined && now !== undefined ? `It was ${formatMoney(before, currency)}, it is ${formatMoney(now, currency)} now. ` : ''}
        Nothing was charged. Look at the new total and pay if you still like it.
      </Alert>
    );
  }
  if (error.code === 'out-of-stock') {
    return <Alert color="brass" icon={<Icon name="alert" />} title="Not enough left" role="alert">Somebody was faster: each item says what is left. Nothing was charged.</Alert>;
  }
  return <InlineError error={error} />;
}

function addressProblems(error: unknown): Record<string, string> {
  const entries = Object.entries(fieldErrors(error)).filter(([path]) => path.startsWith('shipping_address.'));
  return Object.fromEntries(entries.map(([path, text]) => [path.slice('shipping_address.'.length), text]));
}
