/** One product. */
import { useState } from 'react';
import { ApiError } from '@purser/api';
import { Anchor, Box, Button, Card, EmptyState, ErrorState, Group, Link, Page, PageHeader, Skeleton, Stack, Text, useParams } from '@purser/ui';
import { Grid, ProductArt, formatMoney } from '@purser/ui/pages';
import { AddButton } from './add-button';
import { Stock } from './catalogue-page';
import { QuantityInput } from './quantity-input';
import { useProduct } from './requests';

export function ProductPage() {
  const { sku = '' } = useParams();
  const query = useProduct(sku);
  const [quantity, setQuantity] = useState(1);
  if (query.isError) {
    const gone = query.error instanceof ApiError && [404, 422, 400].includes(query.error.status);
    return <Page title={gone ? 'There is no such product' : undefined}>{gone ? <EmptyState icon="search" title="There is no such product" action={<Button component={Link} to="/">To the shop</Button>} /> : <ErrorState error={query.error} onRetry={() => void query.refetch()} />}</Page>;
  }
  const product = query.data;
  return (
    <Page>
      <Anchor component={Link} to="/" size="sm">← The shop</Anchor>
      <Grid gap="xl">
        <Grid.Col span={{ base: 12, sm: 6 }}><Box style={{ borderRadius: 16, overflow: 'hidden' }}><ProductArt sku={sku} height={320} /></Box></Grid.Col>
        <Grid.Col span={{ base: 12, sm: 6 }}>
          {product === undefined ? <Stack role="status" aria-label="Loading"><Skeleton height={34} width="60%" /><Skeleton height={60} /><Skeleton height={110} radius="lg" /></Stack> : (
            <Stack>
              <PageHeader title={product.name} text={product.sku} />
              <Text className="prose-line" style={{ whiteSpace: 'pre-line' }}>{product.description}</Text>
              <Card>
                <Stack>
                  <Group justify="space-between"><Text fw={720} fz={26} className="numeric">{formatMoney(product.unit_price, product.currency)}</Text><Stock stock={product.stock} /></Group>
                  <Group><QuantityInput name={product.name} value={quantity} onChange={setQuantity} /><AddButton product={product} quantity={quantity} size="md" /></Group>
                </Stack>
              </Card>
            </Stack>
          )}
        </Grid.Col>
      </Grid>
    </Page>
  );
}
