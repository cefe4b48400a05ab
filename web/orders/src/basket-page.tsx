/** What is in the basket, and on to the checkout. */
import { Button, Card, EmptyState, Group, Link, Page, PageHeader, Stack, Text } from '@purser/ui';
import { Divider, formatMoney } from '@purser/ui/pages';
import { basketTotal, setQuantity, useBasket } from './basket';
import { LineThumb } from './line-thumb';
import { QuantityInput } from './quantity-input';

export function BasketPage() {
  const basket = useBasket();
  const currency = basket[0]?.currency;
  return (
    <Page size="sm">
      <PageHeader title="Basket" />
      {currency === undefined ? (
        <Card><EmptyState icon="basket" title="Your basket is empty" text="What you add stays here until you order it." action={<Button component={Link} to="/">To the shop</Button>} /></Card>
      ) : (
        <Card>
          <Stack>
            {basket.map((line) => (
              <Group key={line.sku} justify="space-between" wrap="nowrap" gap="sm">
                <Group wrap="nowrap" gap="sm" miw={0} flex={1}>
                  <LineThumb sku={line.sku} />
                  <Stack gap={0} miw={0}>
                    <Text fw={600} lineClamp={2}>{line.name}</Text>
                    <Text size="sm" c="dimmed" className="numeric">{formatMoney(line.unit_price, line.currency)}</Text>
                  </Stack>
                </Group>
                <QuantityInput name={line.name} value={line.quantity} least={0} onChange={(quantity) => setQuantity(line.sku, quantity)} />
                <Text fw={600} className="numeric" w={92} ta="right" visibleFrom="xs">{formatMoney(line.unit_price * line.quantity, line.currency)}</Text>
              </Group>
            ))}
            <Divider />
            <Group justify="space-between"><Text fw={650}>Total</Text><Text fw={720} fz="xl" className="numeric">{formatMoney(basketTotal(basket), currency)}</Text></Group>
            <Button component={Link} to="/checkout" size="md">Go to checkout</Button>
          </Stack>
        </Card>
      )}
    </Page>
  );
}
